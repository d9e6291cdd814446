#include <QTemporaryDir>
#include <QTest>
#include <filesystem>
#include <string>

#include "base/error.h"
#include "prune/expert_plan.h"
#include "prune/tiny_stats.h"

using namespace espalier;

namespace {

ExpertPlan example() {
    ExpertPlan plan;
    plan.model_hash = "m";
    plan.stats_hash = "s";
    plan.criterion = "reap";
    plan.layers[0] = {{0, 2, 3}, {2}, {1}};
    plan.layers[2] = {{1, 2, 3}, {}, {}};
    plan.reasons = {{"task_mass", {{"python", 0.9}}}};
    plan.accept = {"low_task_mass"};
    return plan;
}

}  // namespace

class TestExpertPlan : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void saved_plan_loads_the_same() {
        const QTemporaryDir folder;
        const auto path = std::filesystem::path(folder.path().toStdString()) / "plan.json";
        save_expert_plan(example(), path);
        QVERIFY(load_expert_plan(path) == example());
    }

    void json_has_the_documented_shape() {
        const Json json = to_json(example());
        QCOMPARE(json.at("version").get<int>(), 1);
        QCOMPARE(json.at("layers").at(1).at("layer").get<int>(), 2);
        QCOMPARE(json.at("layers").at(0).at("kept").dump(), std::string("[0,2,3]"));
        QCOMPARE(json.at("layers").at(0).at("locked").dump(), std::string("[2]"));
        QCOMPARE(json.at("layers").at(0).at("forced_out").dump(), std::string("[1]"));
        QVERIFY(json.contains("model_hash") && json.contains("stats_hash") &&
                json.contains("criterion"));
        QVERIFY(json.contains("reasons") && json.contains("accept"));
    }

    void layers_without_a_number_take_their_position() {
        const Json json =
            parse_json("{\"version\":1,\"layers\":[{\"kept\":[1,0]},{\"kept\":[2]}]}", "text");
        const ExpertPlan plan = expert_plan_from_json(json, "text");
        QCOMPARE(plan.layers.at(0).kept, (std::vector<std::int32_t>{0, 1}));
        QCOMPARE(plan.layers.at(1).kept, (std::vector<std::int32_t>{2}));
    }

    void rejects_broken_plans_data() {
        QTest::addColumn<QString>("text");
        QTest::newRow("a list") << "[]";
        QTest::newRow("no version") << "{\"layers\":[]}";
        QTest::newRow("another version") << "{\"version\":2,\"layers\":[]}";
        QTest::newRow("no layers") << "{\"version\":1}";
        QTest::newRow("layers of another kind") << "{\"version\":1,\"layers\":{}}";
        QTest::newRow("layer without experts") << "{\"version\":1,\"layers\":[{\"layer\":0}]}";
        QTest::newRow("layer is a number") << "{\"version\":1,\"layers\":[3]}";
        QTest::newRow("negative layer")
            << "{\"version\":1,\"layers\":[{\"layer\":-1,\"kept\":[0]}]}";
        QTest::newRow("layer is a fraction")
            << "{\"version\":1,\"layers\":[{\"layer\":0.5,\"kept\":[0]}]}";
        QTest::newRow("layer twice")
            << "{\"version\":1,\"layers\":[{\"layer\":1,\"kept\":[0]},{\"layer\":1,\"kept\":[0]}]}";
        QTest::newRow("negative expert") << "{\"version\":1,\"layers\":[{\"kept\":[-1]}]}";
        QTest::newRow("expert is a text") << "{\"version\":1,\"layers\":[{\"kept\":[\"1\"]}]}";
        QTest::newRow("huge expert") << "{\"version\":1,\"layers\":[{\"kept\":[99999999999]}]}";
        QTest::newRow("expert twice") << "{\"version\":1,\"layers\":[{\"kept\":[1,1]}]}";
        QTest::newRow("locked but not kept")
            << "{\"version\":1,\"layers\":[{\"kept\":[1],\"locked\":[2]}]}";
        QTest::newRow("forced out but kept")
            << "{\"version\":1,\"layers\":[{\"kept\":[1],\"forced_out\":[1]}]}";
        QTest::newRow("accept of another kind") << "{\"version\":1,\"layers\":[],\"accept\":1}";
        QTest::newRow("hash of another kind") << "{\"version\":1,\"layers\":[],\"model_hash\":1}";
    }
    void rejects_broken_plans() {
        QFETCH(QString, text);
        QVERIFY_THROWS_EXCEPTION(
            Error, expert_plan_from_json(parse_json(text.toStdString(), "text"), "text"));
    }

    void mask_removes_what_is_not_kept() {
        const ExpertMask mask = example().mask(tiny::config(3, 4, 2));
        QCOMPARE(mask.removed.size(), std::size_t{3});
        QVERIFY(mask.is_removed(0, 1));
        QVERIFY(!mask.is_removed(0, 0) && !mask.is_removed(0, 2) && !mask.is_removed(0, 3));
        QVERIFY(!mask.is_removed(1, 0));  // a layer that the plan does not list stays whole
        QVERIFY(mask.is_removed(2, 0));
    }

    void plan_that_does_not_fit_is_refused() {
        QVERIFY_THROWS_EXCEPTION(Error, example().mask(tiny::config(3, 3, 2)));  // no expert 3
        QVERIFY_THROWS_EXCEPTION(Error, example().mask(tiny::config(2, 4, 2)));  // no layer 2
        QVERIFY_THROWS_EXCEPTION(Error,
                                 example().mask(tiny::config(3, 8, 4)));  // three are too few
        MoeConfig dense = tiny::config(3, 4, 2);
        dense.layers[2].feed_forward = FeedForwardKind::Dense;
        QVERIFY_THROWS_EXCEPTION(Error, example().mask(dense));
    }
};

QTEST_APPLESS_MAIN(TestExpertPlan)
#include "tst_expert_plan.moc"
