#include <QTemporaryDir>
#include <QTest>
#include <algorithm>

#include "base/error.h"
#include "pipeline/make_recipe.h"
#include "pipeline/recipe.h"
#include "support/compare_json.h"
#include "support/error_of.h"

using namespace espalier;
using espalier::test::error_of;
namespace fs = std::filesystem;

class tst_recipe : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void the_sample_recipe_is_complete() {
        const Recipe recipe = load_recipe(fs::path(ESPALIER_SAMPLE) / "recipe.json");
        QCOMPARE(recipe.model, fs::path(ESPALIER_SAMPLE) / "model");
        QCOMPARE(recipe.data.size(), std::size_t{3});
        QCOMPARE(recipe.data[1].task, std::string("cpp"));
        QCOMPARE(recipe.data[1].path, fs::path(ESPALIER_SAMPLE) / "calibration/cpp.txt");
        QCOMPARE(recipe.stages.size(), std::size_t{4});
        QCOMPARE(recipe.stages[3].config.at("files").at(2).get<std::string>(),
                 (fs::path(ESPALIER_SAMPLE) / "heldout/prose.txt").string());
    }

    void survives_json_unchanged() {
        const Recipe recipe = load_recipe(fs::path(ESPALIER_SAMPLE) / "recipe.json");
        const Recipe again = recipe_from_json(to_json(recipe), "/elsewhere");
        QCOMPARE(again, recipe);
        QCOMPARE(recipe_hash(again), recipe_hash(recipe));
    }

    void the_hash_follows_every_setting() {
        Recipe recipe = load_recipe(fs::path(ESPALIER_SAMPLE) / "recipe.json");
        const std::string before = recipe_hash(recipe);
        recipe.stages[1].config["keep_experts"] = 17;
        QVERIFY(recipe_hash(recipe) != before);
    }

    void names_the_field_that_is_wrong_data() {
        QTest::addColumn<QString>("json");
        QTest::addColumn<QString>("field");
        QTest::addRow("version missing") << R"({"model": "m", "stages": []})"
                                         << "version";
        QTest::addRow("version newer") << R"({"version": 2, "model": "m"})"
                                       << "version";
        QTest::addRow("version a text") << R"({"version": "1"})"
                                        << "version";
        QTest::addRow("model missing") << R"({"version": 1})"
                                       << "model";
        QTest::addRow("model no text") << R"({"version": 1, "model": 3})"
                                       << "model";
        QTest::addRow("model empty") << R"({"version": 1, "model": ""})"
                                     << "model";
        QTest::addRow("unknown key") << R"({"version": 1, "modle": "m"})"
                                     << "modle";
        QTest::addRow("seed negative") << recipe(R"("seed": -1)") << "seed";
        QTest::addRow("seed a fraction") << recipe(R"("seed": 0.5)") << "seed";
        QTest::addRow("data no list") << recipe(R"("data": {})") << "data";
        QTest::addRow("data no object") << recipe(R"("data": ["a"])") << "data[0]";
        QTest::addRow("path missing") << recipe(R"("data": [{"task": "a"}])") << "data[0].path";
        QTest::addRow("weight 0") << recipe(R"("data": [{"path": "a", "weight": 0}])")
                                  << "data[0].weight";
        QTest::addRow("weight a text")
            << recipe(R"("data": [{"path": "a", "weight": "1"}])") << "data[0].weight";
        QTest::addRow("unknown role")
            << recipe(R"("data": [{"path": "a", "role": "x"}])") << "data[0].role";
        QTest::addRow("unknown data key")
            << recipe(R"("data": [{"path": "a"}, {"path": "b", "taks": ""}])") << "data[1].taks";
        QTest::addRow("no stages") << R"({"version": 1, "model": "m", "stages": []})"
                                   << "stages";
        QTest::addRow("stages missing") << R"({"version": 1, "model": "m"})"
                                        << "stages";
        QTest::addRow("stage without a name")
            << R"({"version": 1, "model": "m", "stages": [{"type": "q8_0"}]})"
            << "stages[0].stage";
        QTest::addRow("stage no object") << R"({"version": 1, "model": "m", "stages": ["prune"]})"
                                         << "stages[0]";
    }

    void names_the_field_that_is_wrong() {
        QFETCH(QString, json);
        QFETCH(QString, field);
        const Json parsed = parse_json(json.toStdString(), "test");
        const auto error = error_of([&] { recipe_from_json(parsed, "/"); });
        QVERIFY(error);
        QCOMPARE(error->code(), ErrorCode::RunRecipe);
        QVERIFY2(QString(error->what()).contains('"' + field + '"'), error->what());
    }

    void refuses_what_is_no_object() {
        QVERIFY(error_of([] { recipe_from_json(Json::array(), "/"); }));
    }

    void takes_relative_paths_from_its_folder() {
        const Json json = parse_json(
            recipe(R"("data": [{"path": "../a.txt"}, {"path": "/b.txt"}])").toStdString(), "test");
        const Recipe read = recipe_from_json(json, "/home/r");
        QCOMPARE(read.model, fs::path("/home/r/m"));
        QCOMPARE(read.data[0].path, fs::path("/home/a.txt"));
        QCOMPARE(read.data[1].path, fs::path("/b.txt"));
    }

    void resolves_paths_in_configs_but_not_other_texts() {
        Json json = parse_json(recipe("\"seed\": 1").toStdString(), "test");
        json["stages"] =
            parse_json(R"([{"stage": "prune", "plan_path": "p.json", "criterion": "reap",
                                         "probe_file": ""}])",
                       "test");
        const Json config = recipe_from_json(json, "/r").stages[0].config;
        COMPARE_JSON(config.at("plan_path"), Json("/r/p.json"));
        COMPARE_JSON(config.at("criterion"), Json("reap"));
        COMPARE_JSON(config.at("probe_file"), Json(""));
    }

    void validation_wants_the_files_data() {
        QTest::addColumn<QString>("missing");
        for (const char* what : {"model", "data", "text", "plan", "statistics"})
            QTest::addRow("%s", what) << what;
    }

    void validation_wants_the_files() {
        QFETCH(QString, missing);
        Recipe recipe = load_recipe(fs::path(ESPALIER_SAMPLE) / "recipe.json");
        // Without calibrate, so that libtorch stays closed.
        recipe.stages.erase(recipe.stages.begin(), recipe.stages.begin() + 2);
        validate(recipe);
        const fs::path nowhere = fs::path(ESPALIER_SAMPLE) / "nowhere";
        if (missing == "model") recipe.model = nowhere;
        if (missing == "data") recipe.data[0].path = nowhere;
        if (missing == "text") recipe.stages[1].config["files"][0] = nowhere.string();
        if (missing == "plan")
            recipe.stages.push_back({"prune", {{"plan_path", nowhere.string()}}});
        if (missing == "statistics")
            recipe.stages.push_back({"prune", {{"stats_path", nowhere.string()}}});
        const auto error = error_of([&] { validate(recipe); });
        QVERIFY(error);
        QCOMPARE(error->code(), ErrorCode::FileMissing);
        QVERIFY(QString(error->what()).contains("nowhere"));
    }

    void validation_wants_statistics_before_pruning() {
        Recipe recipe = load_recipe(fs::path(ESPALIER_SAMPLE) / "recipe.json");
        recipe.stages.erase(recipe.stages.begin());
        const auto error = error_of([&] { validate(recipe); });
        QVERIFY(error);
        QVERIFY(QString(error->hint().c_str()).contains("calibrate"));
    }

    void validation_wants_what_merging_takes() {
        Recipe recipe = load_recipe(fs::path(ESPALIER_SAMPLE) / "recipe.json");
        for (StageEntry& entry : recipe.stages) {
            if (entry.stage == "prune") entry.config["merge"] = "ream";
        }
        const auto error = error_of([&] { validate(recipe); });
        QVERIFY(error && error->code() == ErrorCode::RunRecipe);
        QVERIFY(QString(error->what()).contains("profiles"));
    }

    void validation_wants_data_to_calibrate_on() {
        Recipe recipe = load_recipe(fs::path(ESPALIER_SAMPLE) / "recipe.json");
        recipe.data.clear();
        const auto error = error_of([&] { validate(recipe); });
        QVERIFY(error);
        QVERIFY(QString(error->what()).contains("\"data\""));
    }

    void choices_become_a_recipe() {
        RecipeChoices choices;
        choices.model = "/m";
        choices.keep.ratio = 0.75;
        choices.data = {{"/d.txt", "code", 1.0}};
        choices.heldout = {"/h.txt"};
        const Recipe recipe = make_recipe(choices, 512);
        QCOMPARE(recipe.stages.size(), std::size_t{4});
        QCOMPARE(recipe.stages[0].config.at("context").get<int>(), 512);
        QCOMPARE(recipe.stages[1].config.at("keep_ratio").get<double>(), 0.75);
        COMPARE_JSON(recipe.stages[2].config.at("type"), Json("q4_k_m"));
        COMPARE_JSON(recipe.stages[3].config.at("files"), Json::array({"/h.txt"}));
        QCOMPARE(recipe_from_json(to_json(recipe), "/"), recipe);
    }

    void presets_choose_how_experts_are_chosen_data() {
        QTest::addColumn<QString>("preset");
        QTest::addColumn<QString>("calibrate");
        QTest::addColumn<QString>("prune");
        QTest::addRow("fast") << "fast"
                              << R"({"tokens": 1000000, "context": 2048, "criterion": "reap"})"
                              << R"({"criterion": "reap", "keep_experts": 8})";
        QTest::addRow("balanced")
            << "balanced"
            << R"({"tokens": 1000000, "context": 2048, "criterion": "reap"})"
            << R"({"criterion": "auto", "keep_experts": 8, "search_seconds": 120.0})";
        QTest::addRow("best")
            << "best"
            << R"({"tokens": 1000000, "context": 2048, "criterion": "reap",
                   "stats": "coact_gram,sas,channels"})"
            << R"({"criterion": "auto", "keep_experts": 8, "search_seconds": 600.0})";
    }

    void presets_choose_how_experts_are_chosen() {
        QFETCH(QString, preset);
        QFETCH(QString, calibrate);
        QFETCH(QString, prune);
        const std::string name = preset.toStdString();
        const auto found = std::find_if(presets().begin(), presets().end(),
                                        [&](const Preset& row) { return row.name == name; });
        QVERIFY(found != presets().end());
        RecipeChoices choices;
        choices.model = "/m";
        choices.keep.experts = 8;
        choices.data = {{"/d.txt", "code", 1.0}};
        choices.criterion = found->criterion;
        choices.search_seconds = found->search_seconds;
        choices.stats = found->stats;
        const Recipe recipe = make_recipe(choices);
        COMPARE_JSON(recipe.stages[0].config, parse_json(calibrate.toStdString(), "calibrate"));
        COMPARE_JSON(recipe.stages[1].config, parse_json(prune.toStdString(), "prune"));
    }

    void calibration_gathers_what_the_criterion_is_made_of() {
        RecipeChoices choices;
        choices.model = "/m";
        choices.keep.experts = 8;
        choices.data = {{"/d.txt", "code", 1.0}};
        choices.criterion = "hope";
        const Recipe recipe = make_recipe(choices);
        COMPARE_JSON(recipe.stages[0].config.at("stats"), Json("coact_gram"));
        QVERIFY(!recipe.stages[1].config.contains("search_seconds"));
    }

    void stages_that_nothing_asks_for_are_left_out() {
        RecipeChoices choices;
        choices.model = "/m";
        const Recipe recipe = make_recipe(choices);
        QCOMPARE(recipe.stages.size(), std::size_t{1});
        QCOMPARE(recipe.stages[0].stage, std::string("quantize"));
    }

private:
    static QString recipe(const char* member) {
        return QString(R"({"version": 1, "model": "m", "stages": [{"stage": "prune"}], )") +
               member + "}";
    }
};

QTEST_APPLESS_MAIN(tst_recipe)
#include "tst_recipe.moc"
