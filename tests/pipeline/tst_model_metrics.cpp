#include <QTest>

#include "pipeline/model_metrics.h"
#include "support/compare_json.h"

using namespace espalier;

class tst_model_metrics : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void a_cut_is_told_with_its_tasks() {
        ExpertPlan plan;
        plan.reasons = {{"task_mass", {{"", 0.75}, {"python", 0.5}}}};
        PruneReport report;
        report.bytes_before = 400;
        report.bytes_after = 200;
        report.experts_before = 8;
        report.experts_after = 4;
        report.dropped_tensors = {"mtp.weight"};
        const Json metrics = metrics_of(report, plan);
        COMPARE_JSON(metrics, (Json{{"bytes_before", 400},
                                    {"bytes_after", 200},
                                    {"experts_before", 8},
                                    {"experts_after", 4},
                                    {"mass_kept", 0.75},
                                    {"mass_kept.python", 0.5},
                                    {"dropped_tensors", {"mtp.weight"}}}));
    }

    /// Plans are mailed around; reasons are for people, nothing relies on them.
    void reasons_of_any_shape_are_taken_data() {
        QTest::addColumn<QString>("reasons");
        for (const char* text :
             {"[]", "\"because\"", "3", "{\"task_mass\": [1], \"warnings\": {\"text\": \"x\"}}",
              "{\"warnings\": [1, {\"text\": 2}, {}]}"}) {
            QTest::addRow("%s", text) << text;
        }
    }

    void reasons_of_any_shape_are_taken() {
        QFETCH(QString, reasons);
        ExpertPlan plan;
        plan.reasons = parse_json(reasons.toStdString(), "test");
        log_warnings(plan);
        QVERIFY(!metrics_of(PruneReport{}, plan).contains("mass_kept"));
    }
};

QTEST_APPLESS_MAIN(tst_model_metrics)
#include "tst_model_metrics.moc"
