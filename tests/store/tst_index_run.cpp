#include <QTemporaryDir>
#include <QTest>
#include <filesystem>
#include <fstream>

#include "base/json.h"
#include "store/library.h"

using namespace espalier;
namespace fs = std::filesystem;

class tst_index_run : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() {
        m_root = fs::canonical(m_dir.path().toStdString());
        make_run("done", true);
        make_run("cut-short", false);
        write("not-a-run/readme.txt", "hello");
        write("broken/recipe.json", "{");
    }

    void reads_a_finished_run() {
        Library library(m_root / "a.sqlite");
        QVERIFY(library.index_run(m_root / "done"));
        const auto run = library.find_run((m_root / "done").string()).value();
        QCOMPARE(run.state, std::string("finished"));
        QCOMPARE(run.model, std::string("/m/sample"));
        QVERIFY(run.ended_unix >= run.started_unix);
        const auto stages = library.stages(run.path);
        QCOMPARE(stages.size(), std::size_t{2});
        QCOMPARE(stages[1].stage, std::string("evaluate"));
        QCOMPARE(stages[1].seconds, 2.5);
        QCOMPARE(library.metrics(run.path).at("kl"), 0.125);
    }

    void a_run_without_report_counts_as_stopped() {
        Library library(m_root / "b.sqlite");
        QVERIFY(library.index_run(m_root / "cut-short"));
        QCOMPARE(library.runs().front().state, std::string("stopped"));
    }

    void a_run_whose_routing_nobody_accepted_waits() {
        const auto state_with = [&](const char* name, const Json& record) {
            const fs::path folder = m_root / "waiting" / name;
            write(std::string("waiting/") + name + "/recipe.json",
                  R"({"version": 1, "model": "/m/sample", "stages": []})");
            write(std::string("waiting/") + name + "/01-prune/stage.json", record.dump());
            Library library(m_root / "waiting" / (std::string(name) + ".sqlite"));
            library.index_run(folder);
            return library.runs().front().state;
        };
        Json record = Json::parse(stage("prune", 1.0, "kl"));
        record["routing"] = {{"verdict", "fail"}};
        QCOMPARE(state_with("refused", record), std::string("held"));
        record["routing_accepted"] = true;
        QCOMPARE(state_with("accepted", record), std::string("stopped"));
        record.erase("routing_accepted");
        record["routing"]["verdict"] = "warn";
        QCOMPARE(state_with("warned", record), std::string("stopped"));
    }

    void ignores_other_folders() {
        Library library(m_root / "c.sqlite");
        QVERIFY(!library.index_run(m_root / "not-a-run"));
    }

    void rebuilds_from_the_folders_and_leaves_broken_ones_out() {
        Library library(m_root / "d.sqlite");
        QCOMPARE(library.rebuild({m_root, m_root / "missing"}), std::size_t{2});
        QCOMPARE(library.rebuild({m_root}), std::size_t{2});
        QCOMPARE(library.runs().size(), std::size_t{2});
    }

private:
    void write(const std::string& name, const std::string& text) const {
        fs::create_directories((m_root / name).parent_path());
        std::ofstream(m_root / name) << text;
    }

    void make_run(const std::string& name, bool finished) const {
        write(name + "/recipe.json", R"({"version": 1, "model": "/m/sample", "stages": []})");
        write(name + "/01-prune/stage.json", stage("prune", 1.0, "bytes"));
        write(name + "/03-prune.partial/stage.json", stage("prune", 9.0, "bytes"));
        if (!finished) return;
        write(name + "/02-evaluate/stage.json", stage("evaluate", 2.5, "kl"));
        write(name + "/report.json", "{}");
    }

    static std::string stage(const char* name, double seconds, const char* metric) {
        const Json json = {{"stage", name},
                           {"seconds", seconds},
                           {"peak_bytes", 7},
                           {"metrics", {{metric, 0.125}, {"text", "not a number"}}}};
        return json.dump();
    }

    QTemporaryDir m_dir;
    fs::path m_root;
};

QTEST_APPLESS_MAIN(tst_index_run)
#include "tst_index_run.moc"
