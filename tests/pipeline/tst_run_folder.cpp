#include <QTemporaryDir>
#include <QTest>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "pipeline/run_folder.h"
#include "support/error_of.h"

using namespace espalier;
using espalier::test::error_of;
namespace fs = std::filesystem;

class tst_run_folder : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void init() {
        m_dir = std::make_unique<QTemporaryDir>();
        m_path = fs::path(m_dir->path().toStdString()) / "run";
        m_recipe.model = "/m";
        m_recipe.stages = {{"prune", Json::object()}, {"quantize", {{"type", "q8_0"}}}};
    }

    void writes_the_recipe_first() {
        const RunFolder folder(m_path, m_recipe, false);
        QCOMPARE(load_recipe(m_path / "recipe.json"), m_recipe);
    }

    void a_second_holder_is_refused() {
        const RunFolder folder(m_path, m_recipe, false);
        QVERIFY(RunFolder::is_in_use(m_path));
        const auto error = error_of([&] { RunFolder(m_path, m_recipe, true); });
        QVERIFY(error);
        QCOMPARE(error->code(), ErrorCode::RunLocked);
    }

    void is_free_again_afterwards() {
        { const RunFolder folder(m_path, m_recipe, false); }
        QVERIFY(!RunFolder::is_in_use(m_path));
        const RunFolder again(m_path, m_recipe, true);
    }

    void a_run_that_is_there_is_not_begun_again() {
        { const RunFolder folder(m_path, m_recipe, false); }
        const auto error = error_of([&] { RunFolder(m_path, m_recipe, false); });
        QVERIFY(error);
        QCOMPARE(error->code(), ErrorCode::FileExists);
    }

    void another_recipe_cannot_go_on_from_here() {
        { const RunFolder folder(m_path, m_recipe, false); }
        m_recipe.stages[1].config["type"] = "q4_0";
        const auto error = error_of([&] { RunFolder(m_path, m_recipe, true); });
        QVERIFY(error);
        QCOMPARE(error->code(), ErrorCode::RunRecipe);
        QVERIFY(!RunFolder::is_in_use(m_path));
    }

    void leaves_a_folder_with_other_things_alone() {
        fs::create_directories(m_path);
        std::ofstream(m_path / "thesis.txt") << "years of work";
        const auto error = error_of([&] { RunFolder(m_path, m_recipe, false); });
        QVERIFY(error);
        QCOMPARE(error->code(), ErrorCode::FileExists);
        QVERIFY(!fs::exists(m_path / ".lock"));
    }

    void resuming_what_died_before_its_recipe_begins_it() {
        fs::create_directories(m_path);
        std::ofstream(m_path / ".lock");
        std::ofstream(m_path / "recipe.json.partial") << "{";
        const RunFolder folder(m_path, m_recipe, true);
        QCOMPARE(load_recipe(m_path / "recipe.json"), m_recipe);
    }

    void a_stage_is_finished_once_it_has_its_name() {
        RunFolder folder(m_path, m_recipe, false);
        QCOMPARE(folder.stage_path(1, "quantize").filename(), fs::path("02-quantize"));
        const fs::path partial = folder.partial_path(1, "quantize");
        QCOMPARE(partial.filename(), fs::path("02-quantize.partial"));
        fs::create_directories(partial);
        std::ofstream(partial / "model.gguf") << "weights";
        QVERIFY(!folder.finished_stage(1, "quantize"));
        folder.finish_stage(1, "quantize", {{"stage", "quantize"}, {"seconds", 1.5}});
        QVERIFY(!fs::exists(partial));
        QVERIFY(fs::exists(folder.stage_path(1, "quantize") / "model.gguf"));
        QCOMPARE(folder.finished_stage(1, "quantize")->at("seconds").get<double>(), 1.5);
    }

private:
    std::unique_ptr<QTemporaryDir> m_dir;
    fs::path m_path;
    Recipe m_recipe;
};

QTEST_APPLESS_MAIN(tst_run_folder)
#include "tst_run_folder.moc"
