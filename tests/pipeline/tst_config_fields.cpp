#include <QTest>

#include "base/error.h"
#include "pipeline/config_fields.h"
#include "pipeline/evaluate_stage.h"
#include "pipeline/prune_stage.h"
#include "pipeline/quantize_stage.h"
#include "pipeline/stage.h"
#include "support/compare_json.h"
#include "support/error_of.h"

using namespace espalier;
using espalier::test::error_of;

class tst_config_fields : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void absent_fields_keep_their_defaults() {
        QCOMPARE(config_from_json<PruneConfig>(Json::object(), "prune"), PruneConfig{});
    }

    void what_is_written_is_read_back() {
        PruneConfig config;
        config.criterion = "frequency";
        config.keep_ratio = 0.25;
        config.keep_experts = 3;
        config.accept = {"low_task_mass"};
        QCOMPARE(config_from_json<PruneConfig>(config_to_json(config), "prune"), config);
    }

    void refuses_wrong_kinds_data() {
        QTest::addColumn<QString>("json");
        QTest::addColumn<QString>("named");
        QTest::addRow("text for a number") << R"({"keep_ratio": "half"})"
                                           << "keep_ratio";
        QTest::addRow("flag for a number") << R"({"keep_ratio": true})"
                                           << "keep_ratio";
        QTest::addRow("fraction for a count") << R"({"keep_experts": 1.5})"
                                              << "keep_experts";
        QTest::addRow("number for a flag") << R"({"protects_super_experts": 1})"
                                           << "protects_super_experts";
        QTest::addRow("number for a text") << R"({"criterion": 1})"
                                           << "criterion";
        QTest::addRow("text for a list") << R"({"accept": "x"})"
                                         << "accept";
        QTest::addRow("too large") << R"({"keep_experts": 9223372036854775808})"
                                   << "keep_experts";
        QTest::addRow("unknown field") << R"({"keep": 0.5})"
                                       << "keep";
    }

    void refuses_wrong_kinds() {
        QFETCH(QString, json);
        QFETCH(QString, named);
        const Json parsed = parse_json(json.toStdString(), "test");
        const auto error = error_of([&] { config_from_json<PruneConfig>(parsed, "prune"); });
        QVERIFY(error);
        QCOMPARE(error->code(), ErrorCode::RunRecipe);
        QVERIFY(QString(error->what()).contains('"' + named + '"'));
    }

    void refuses_values_out_of_range_data() {
        QTest::addColumn<QString>("stage");
        QTest::addColumn<QString>("json");
        QTest::addRow("criterion") << "prune"
                                   << R"({"criterion": "best"})";
        QTest::addRow("ratio 0") << "prune"
                                 << R"({"keep_ratio": 0})";
        QTest::addRow("ratio above 1") << "prune"
                                       << R"({"keep_ratio": 1.01})";
        QTest::addRow("negative count") << "prune"
                                        << R"({"keep_experts": -1})";
        QTest::addRow("negative limit") << "prune"
                                        << R"({"scope": "across", "native": true, "lowest": -1})";
        QTest::addRow("rounds, one after the other")
            << "prune"
            << R"({"progressive": true, "sequential": true})";
        QTest::addRow("own text") << "calibrate"
                                  << R"({"own_text_share": 0.6})";
        QTest::addRow("type") << "quantize"
                              << R"({"type": "q9_z"})";
        QTest::addRow("no files") << "evaluate"
                                  << "{}";
        QTest::addRow("context") << "evaluate"
                                 << R"({"files": ["a"], "context": 1})";
    }

    void refuses_values_out_of_range() {
        QFETCH(QString, stage);
        QFETCH(QString, json);
        const Json parsed = parse_json(json.toStdString(), "test");
        const auto error = error_of([&] { find_stage(stage.toStdString()).validate(parsed); });
        QVERIFY(error);
        QCOMPARE(error->code(), ErrorCode::RunRecipe);
    }

    void stages_list_their_fields_for_forms() {
        const auto& fields = find_stage("quantize").fields;
        QCOMPARE(fields.size(), std::size_t{4});
        QCOMPARE(fields[0].name, std::string("type"));
        COMPARE_JSON(fields[0].default_value, Json("q4_k_m"));
        QVERIFY(!fields[0].description.empty());
    }

    void an_unknown_stage_is_answered_with_the_known_ones() {
        const auto error = error_of([] { find_stage("prunes"); });
        QVERIFY(error);
        QCOMPARE(error->code(), ErrorCode::RunRecipe);
        QVERIFY(error->hint().find("calibrate, prune, quantize, evaluate") != std::string::npos);
    }
};

QTEST_APPLESS_MAIN(tst_config_fields)
#include "tst_config_fields.moc"
