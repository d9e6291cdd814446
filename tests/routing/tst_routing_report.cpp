#include <QTest>
#include <cmath>
#include <string>
#include <vector>

#include "base/error.h"
#include "routing/routing_report.h"

using namespace espalier;

namespace {

/// Twenty layers that are all alike but for the last.
std::vector<LayerFidelity> layers(double restricted_kl, double worst_kl, double recall = 1.0) {
    std::vector<LayerFidelity> result(20);
    for (std::size_t i = 0; i < result.size(); ++i) {
        result[i].layer = static_cast<std::int64_t>(i);
        result[i].tokens = 10;
        result[i].recall = recall;
        result[i].restricted_kl = i == 19 ? worst_kl : restricted_kl;
    }
    return result;
}

RoutingReportInput input(RoutingChange change, std::vector<LayerFidelity> measured) {
    RoutingReportInput report;
    report.probe_hash = "probe";
    report.reference = "original";
    report.change = change;
    report.layers = std::move(measured);
    return report;
}

}  // namespace

class TestRoutingReport : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void has_the_keys_of_the_specification() {
        const Json report = routing_report(input(RoutingChange::Pruning, layers(0.01, 0.01)));
        for (const char* key : {"probe_hash", "reference", "restricted", "floor", "per_layer",
                                "per_task", "worst", "verdict", "thresholds"}) {
            QVERIFY2(report.contains(key), key);
        }
        QCOMPARE(report.at("per_layer").size(), std::size_t{20});
        QCOMPARE(report.at("per_layer").at(3).at("layer").get<int>(), 3);
        QVERIFY(report.at("floor").is_null());
    }

    void pruning_is_judged_by_the_worst_tenth_of_the_layers_data() {
        QTest::addColumn<double>("others");
        QTest::addColumn<double>("worst");
        QTest::addColumn<double>("value");
        QTest::addColumn<QString>("verdict");
        QTest::newRow("all good") << 0.01 << 0.01 << 0.01 << "pass";
        QTest::newRow("on the limit") << 0.05 << 0.05 << 0.05 << "pass";
        QTest::newRow("one of the two worst") << 0.02 << 0.12 << 0.07 << "warn";
        QTest::newRow("far off") << 0.1 << 0.3 << 0.2 << "fail";
    }
    void pruning_is_judged_by_the_worst_tenth_of_the_layers() {
        QFETCH(double, others);
        QFETCH(double, worst);
        QFETCH(double, value);
        QFETCH(QString, verdict);
        const Json report = routing_report(input(RoutingChange::Pruning, layers(others, worst)));
        const Json& judged = report.at("worst").at(0);
        QCOMPARE(judged.at("metric").get<std::string>(), std::string("restricted_kl"));
        QVERIFY(std::abs(judged.at("value").get<double>() - value) < 1e-12);
        QCOMPARE(judged.at("layers").at(0).get<int>(), others == worst ? 0 : 19);
        QCOMPARE(QString::fromStdString(report.at("verdict").get<std::string>()), verdict);
    }

    void displaced_choices_warn_but_never_fail() {
        auto measured = layers(0.0, 0.0);
        for (auto& layer : measured) layer.displaced = 0.9;
        QCOMPARE(routing_report(input(RoutingChange::Pruning, measured))
                     .at("verdict")
                     .get<std::string>(),
                 std::string("warn"));
    }

    void entropy_may_fall_as_little_as_rise() {
        auto measured = layers(0.0, 0.0);
        measured[4].entropy_change = -0.2;
        measured[5].entropy_change = -0.2;
        QCOMPARE(routing_report(input(RoutingChange::Pruning, measured))
                     .at("verdict")
                     .get<std::string>(),
                 std::string("fail"));
    }

    void load_of_each_task_counts_after_pruning() {
        auto report = input(RoutingChange::Pruning, layers(0.0, 0.0));
        report.tasks["python"] = layers(0.0, 0.0);
        for (auto& layer : report.tasks["python"]) layer.load_tv = 0.15;
        const Json json = routing_report(report);
        QCOMPARE(json.at("verdict").get<std::string>(), std::string("warn"));
        QCOMPARE(json.at("worst").back().at("task").get<std::string>(), std::string("python"));
        QVERIFY(json.at("per_task").at("python").contains("load_tv"));
    }

    void quantisation_is_judged_by_recall_and_bits_data() {
        QTest::addColumn<double>("recall");
        QTest::addColumn<double>("bits");
        QTest::addColumn<QString>("verdict");
        QTest::newRow("fine, good") << 0.94 << 4.8 << "pass";
        QTest::newRow("fine, fair") << 0.90 << 4.8 << "warn";
        QTest::newRow("fine, poor") << 0.87 << 4.8 << "fail";
        QTest::newRow("coarse, good") << 0.87 << 3.0 << "pass";
        QTest::newRow("coarse, fair") << 0.80 << 3.0 << "warn";
        QTest::newRow("coarse, poor") << 0.70 << 3.0 << "fail";
    }
    void quantisation_is_judged_by_recall_and_bits() {
        QFETCH(double, recall);
        QFETCH(double, bits);
        QFETCH(QString, verdict);
        auto report = input(RoutingChange::Quantization, layers(0.0, 0.0, recall));
        report.bits_per_weight = bits;
        const Json json = routing_report(report);
        QCOMPARE(QString::fromStdString(json.at("verdict").get<std::string>()), verdict);
        QCOMPARE(json.at("restricted").get<bool>(), false);
    }

    void what_the_floor_explains_is_not_held_against_a_model() {
        RoutingReportInput report = input(RoutingChange::Pruning, layers(0.01, 0.12));
        QCOMPARE(routing_report(report).at("worst").at(0).at("verdict").get<std::string>(),
                 std::string("warn"));
        report.floor.kernels = report.layers;
        for (LayerFidelity& layer : report.floor.kernels) layer.restricted_kl = 0.08;
        const Json judged = routing_report(report).at("worst").at(0);
        QCOMPARE(judged.at("verdict").get<std::string>(), std::string("pass"));
        QVERIFY(std::abs(judged.at("floor").get<double>() - 0.08) < 1e-12);
        QVERIFY(std::abs(judged.at("excess").get<double>() - 0.02) < 1e-12);
        // Below the floor there is nothing to judge.
        for (LayerFidelity& layer : report.floor.kernels) layer.restricted_kl = 0.5;
        QCOMPARE(routing_report(report).at("worst").at(0).at("excess").get<double>(), 0.0);
    }

    void limits_are_settings() {
        RoutingReportInput report = input(RoutingChange::Pruning, layers(0.01, 0.12));
        report.limits = Json::parse(R"({"restricted_kl": {"pass": 0.2, "warn": 0.3},
                                        "coactivation": {"pass": 0.9, "warn": 0.5}})");
        const Json json = routing_report(report);
        QCOMPARE(json.at("thresholds").at("restricted_kl").at("pass").get<double>(), 0.2);
        QCOMPARE(json.at("worst").at(0).at("verdict").get<std::string>(), std::string("pass"));
        // Nothing was measured of pairs: their cosine is 0.
        QCOMPARE(json.at("verdict").get<std::string>(), std::string("fail"));
        for (const char* text : {R"([])", R"({"recal": {"pass": 1, "warn": 1}})",
                                 R"({"recall": {"pass": 1}})", R"({"recall": 1})"}) {
            report.limits = Json::parse(text);
            QVERIFY_THROWS_EXCEPTION(Error, routing_report(report));
        }
    }

    void nothing_measured_has_no_verdict() {
        QVERIFY(routing_report(input(RoutingChange::None, {})).at("verdict").is_null());
    }
};

QTEST_APPLESS_MAIN(TestRoutingReport)
#include "tst_routing_report.moc"
