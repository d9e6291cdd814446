#include <QTemporaryDir>
#include <QTest>
#include <filesystem>

#include "base/error.h"
#include "store/library.h"

using namespace espalier;

class tst_library : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void init() { m_dir = std::make_unique<QTemporaryDir>(); }

    void stores_models_by_name() {
        Library library(path());
        const ModelRecord tiny{"tiny", "/m/tiny", "qwen3_moe", 16'400'000, 33'000'000, 5};
        library.put_model({"zeta", "/m/z", "mixtral", 1, 2, 3});
        library.put_model({"tiny", "/old", "mixtral", 1, 2, 3});
        library.put_model(tiny);
        QCOMPARE(library.models().size(), std::size_t{2});
        QCOMPARE(library.models().front(), tiny);
        QCOMPARE(library.find_model("tiny").value(), tiny);
        QVERIFY(!library.find_model("Tiny"));
        QVERIFY(library.remove_model("tiny"));
        QVERIFY(!library.remove_model("tiny"));
    }

    void a_taken_name_gets_a_number() {
        Library library(path());
        library.put_model({"tiny", "/m/tiny", "f", 1, 2, 3});
        QCOMPARE(library.free_model_name("tiny", "/m/tiny"), std::string("tiny"));
        QCOMPARE(library.free_model_name("tiny", "/n/tiny"), std::string("tiny-2"));
        QCOMPARE(library.free_model_name("other", "/n/tiny"), std::string("other"));
    }

    void remembers_folders_hashes_and_words() {
        Library library(path());
        library.put_model_folder("/models");
        library.put_model_folder("/models");
        QCOMPARE(library.model_folders(), std::vector<std::string>{"/models"});
        QVERIFY(library.remove_model_folder("/models"));
        QVERIFY(!library.remove_model_folder("/models"));
        library.put_model_text("/m/a", "good at C++");
        library.put_model_hash("/m/a", "abc", "1-2-3");
        library.put_model_hash("/m/a", "def", "1-2-4");
        const ModelNotes expected{"def", "1-2-4", "good at C++"};
        QCOMPARE(library.model_notes().at("/m/a"), expected);
    }

    void binds_values_instead_of_pasting_them() {
        Library library(path());
        const std::string name = "a'); DROP TABLE models; --";
        library.put_model({name, "/m", "f", 0, 0, 0});
        QCOMPARE(library.find_model(name).value().name, name);
    }

    void lists_runs_newest_first() {
        Library library(path());
        library.put_run(run("/r/old", 10));
        library.put_run(run("/r/new", 20));
        RunRecord finished = run("/r/old", 10);
        finished.state = "finished";
        finished.ended_unix = 30;
        library.put_run(finished);
        const auto runs = library.runs();
        QCOMPARE(runs.size(), std::size_t{2});
        QCOMPARE(runs.front().path, std::string("/r/new"));
        QCOMPARE(runs.back(), finished);
    }

    void a_replaced_run_keeps_its_details() {
        Library library(path());
        library.put_run(run("/r", 1));
        library.put_stage("/r", {0, "prune", 1.5, 100, "{}"});
        library.put_metric("/r", "evaluate", "kl", 0.25);
        library.put_metric("/r", "evaluate", "kl", 0.5);
        library.put_routing("/r", 3, {0.25, 0.75}, {1.0, 2.5});
        library.put_run(run("/r", 2));
        QCOMPARE(library.stages("/r"), (std::vector<StageRecord>{{0, "prune", 1.5, 100, "{}"}}));
        QCOMPARE(library.metrics("/r"), (std::map<std::string, double>{{"kl", 0.5}}));
        QCOMPARE(library.routing("/r"),
                 (std::vector<RoutingRecord>{{3, {0.25, 0.75}, {1.0, 2.5}}}));
    }

    void removing_a_run_removes_its_details() {
        Library library(path());
        library.put_run(run("/r", 1));
        library.put_metric("/r", "s", "kl", 1);
        library.put_stage("/r", {0, "s", 1, 1, "{}"});
        QVERIFY(library.remove_run("/r"));
        library.put_run(run("/r", 1));
        QVERIFY(library.metrics("/r").empty());
        QVERIFY(library.stages("/r").empty());
    }

    void refuses_details_of_an_unknown_run() {
        Library library(path());
        try {
            library.put_metric("/nowhere", "s", "kl", 1);
            QFAIL("stored");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::StoreFailed);
        }
    }

    void chats_get_an_id_and_are_replaced_by_it() {
        Library library(path());
        const auto first = library.put_chat({0, "one", "m", "[]", 1});
        const auto second = library.put_chat({0, "two", "m", "[]", 2});
        QVERIFY(first != second);
        library.put_chat({first, "one again", "m", "[{}]", 3});
        const auto chats = library.chats();
        QCOMPARE(chats.size(), std::size_t{2});
        QCOMPARE(chats.front(), (ChatRecord{first, "one again", "m", "[{}]", 3}));
        QVERIFY(library.remove_chat(second));
        QCOMPARE(library.chats().size(), std::size_t{1});
    }

    void evaluations_are_listed_newest_first() {
        Library library(path());
        library.put_evaluation({0, "a", "", "{}", 1});
        library.put_evaluation({0, "b", "a", "{}", 2});
        QCOMPARE(library.evaluations().front().model, std::string("b"));
    }

    void two_connections_see_the_same() {
        Library one(path());
        Library two(path());
        one.put_model({"m", "/m", "f", 1, 2, 3});
        QVERIFY(two.find_model("m").has_value());
        two.remove_model("m");
        QVERIFY(!one.find_model("m"));
    }

private:
    std::filesystem::path path() const { return m_dir->filePath("library.sqlite").toStdString(); }

    static RunRecord run(const std::string& path, std::int64_t started) {
        return {path, "r", "m", "running", "{}", "", started, 0};
    }

    std::unique_ptr<QTemporaryDir> m_dir;
};

QTEST_APPLESS_MAIN(tst_library)
#include "tst_library.moc"
