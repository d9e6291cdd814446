#include <QTest>

#include "cli.h"
#include "run_compare.h"
#include "support/linked_model.h"

using namespace espalier;
using espalier::test::Answer;

class tst_cli_errors : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() {
        test::link_model(m_cli.sample("model").toStdString(), m_cli.file("hub/model"), {});
        VERIFY_DONE(m_cli.run(
            {"export", m_cli.sample("model"), "--to", "gguf", "--out", m_cli.path("whole.gguf")}));
        write_file(m_cli.file("every.json"), R"({"version": 1, "layers": []})");
        write_json_file(m_cli.file("recipe.json"),
                        {{"version", 1},
                         {"model", "hub/model"},
                         {"stages", {{{"stage", "quantize"}, {"type", "q8_0"}}}}});
    }

    void damaged_files_are_refused_and_odd_ones_read_data() {
        QTest::addColumn<QString>("file");
        QTest::addColumn<QString>("expect");
        const Json index = read_json_file(ESPALIER_TEST_DATA "/malformed/index.json");
        const Json& rows = index.is_array() ? index : index.at("files");
        for (const Json& row : rows) {
            const auto file = row.at("file").get<std::string>();
            QTest::addRow("%s", file.c_str())
                << QString::fromStdString(file)
                << QString::fromStdString(row.at("expect").get<std::string>());
        }
    }

    void damaged_files_are_refused_and_odd_ones_read() {
        QFETCH(QString, file);
        QFETCH(QString, expect);
        const Answer answer = m_cli.run(
            {"--json", "inspect", QStringLiteral(ESPALIER_TEST_DATA "/malformed/") + file});
        if (expect == "accept") VERIFY_DONE(answer);
        if (expect == "either") QVERIFY(answer.code == 0 || answer.code == 3);
        if (expect != "reject") return;
        QCOMPARE(answer.code, 3);
        const Json error = answer.json().at("error");
        QVERIFY(error.at("code").get<std::string>().starts_with("E-FILE-"));
        QVERIFY(QString::fromStdString(error.at("message").get<std::string>()).contains(file));
        QVERIFY(!error.at("hint").get<std::string>().empty());
    }

    void an_error_is_a_sentence_a_hint_and_a_code() {
        const Answer answer = m_cli.run({"inspect", "nowhere"});
        QCOMPARE(answer.code, 3);
        const QList<QByteArray> lines = answer.err.trimmed().split('\n');
        QCOMPARE(lines.size(), 3);
        QVERIFY(lines[0].startsWith("error: "));
        QVERIFY(lines[0].endsWith("."));
        QVERIFY(lines[1].startsWith("  "));
        QCOMPARE(lines[2], QByteArray("  [E-FILE-01]"));
        QVERIFY(answer.out.isEmpty());
    }

    void wrong_usage_ends_with_2_data() {
        QTest::addColumn<QStringList>("arguments");
        QTest::addRow("no command") << QStringList{};
        QTest::addRow("unknown command") << QStringList{"compress"};
        QTest::addRow("unknown option") << QStringList{"inspect", "x", "--colour"};
        QTest::addRow("no model") << QStringList{"inspect"};
        QTest::addRow("no number") << QStringList{"generate", "x", "--max-tokens", "many"};
        QTest::addRow("unknown engine")
            << QStringList{"trace", "x", "--ids", "a", "--out", "b", "--engine", "abacus"};
        QTest::addRow("no prompt") << QStringList{"generate", m_cli.sample("model")};
        QTest::addRow("temperature") << QStringList{"generate", m_cli.sample("model"), "--prompt",
                                                    "a",        "--temperature",       "-1"};
        QTest::addRow("no plan, no statistics")
            << QStringList{"prune", m_cli.sample("model"), "--out", "o"};
        QTest::addRow("unknown type")
            << QStringList{"quantize", m_cli.sample("model"), "--type", "q1_x", "--out", "o.gguf"};
        QTest::addRow("size") << QStringList{"--memory-budget", "lots", "inspect",
                                             m_cli.sample("model")};
    }

    void wrong_usage_ends_with_2() {
        QFETCH(QStringList, arguments);
        const Answer answer = m_cli.run(arguments);
        QCOMPARE(answer.code, 2);
        QVERIFY(answer.err.startsWith("error: "));
        QVERIFY(answer.err.trimmed().endsWith("[E-USE-01]"));
        QVERIFY(answer.out.isEmpty());

        const Answer scripted = m_cli.run(QStringList{"--json"} + arguments);
        QCOMPARE(scripted.code, 2);
        const Json error = scripted.json().at("error");
        COMPARE_JSON(error.at("code"), Json("E-USE-01"));
        QVERIFY(error.at("message").get<std::string>().ends_with("."));
        QVERIFY(!error.at("hint").get<std::string>().empty());
        QCOMPARE(scripted.out.trimmed().count('\n'), 0);
    }

    void nothing_writes_over_its_input_data() {
        QTest::addColumn<QStringList>("arguments");
        QTest::addColumn<QString>("out");
        const QString hub = m_cli.path("hub/model");
        const QString file = m_cli.path("whole.gguf");
        const QString plan = m_cli.path("every.json");
        const QStringList prune{"prune", hub, "--expert-plan", plan};
        QTest::addRow("prune, itself") << prune << hub;
        QTest::addRow("prune, inside") << prune << hub + "/cut";
        QTest::addRow("prune, around") << prune << m_cli.path("hub");
        QTest::addRow("prune, the plan") << prune << plan;
        QTest::addRow("prune, gguf") << QStringList{"prune", file, "--expert-plan", plan} << file;
        QTest::addRow("quantize, itself")
            << QStringList{"quantize", file, "--type", "q8_0"} << file;
        QTest::addRow("quantize, inside")
            << QStringList{"quantize", hub, "--type", "q8_0"} << hub + "/model.gguf";
        QTest::addRow("export, itself") << QStringList{"export", file, "--to", "gguf"} << file;
        QTest::addRow("export, inside") << QStringList{"export", hub, "--to", "hf"} << hub + "/hf";
        QTest::addRow("calibrate, inside")
            << QStringList{"calibrate", hub, "--data", plan} << hub + "/stats.safetensors";
        QTest::addRow("calibrate, the data")
            << QStringList{"calibrate", hub, "--data", "x=" + plan} << plan;
        QTest::addRow("select, the statistics")
            << QStringList{"select", hub, "--stats", plan, "--keep", "4"} << plan;
        QTest::addRow("select, inside")
            << QStringList{"select", hub, "--stats", plan, "--keep", "4"} << hub + "/plan.json";
        QTest::addRow("select, layer by layer")
            << QStringList{"select",       m_cli.sample("model"),  "--stats", "s", "--keep", "4",
                           "--sequential", m_cli.path("plan.json")}
            << m_cli.path("plan.json");
        QTest::addRow("merge-stats") << QStringList{"merge-stats", plan} << plan;
        QTest::addRow("trace, the ids") << QStringList{"trace", hub, "--ids", plan} << plan;
        QTest::addRow("run, inside")
            << QStringList{"run", m_cli.path("recipe.json")} << hub + "/run";
    }

    void nothing_writes_over_its_input() {
        QFETCH(QStringList, arguments);
        QFETCH(QString, out);
        const auto before = test::results_of(m_cli.file("."));
        const Answer answer =
            m_cli.run(QStringList{"--json"} + arguments + QStringList{"--out", out});
        QCOMPARE(answer.code, 3);
        COMPARE_JSON(answer.json().at("error").at("code"), Json("E-FILE-07"));
        QVERIFY(answer.err.contains(out.toUtf8()));
        QVERIFY(test::results_of(m_cli.file(".")) == before);
    }

    void help_and_version_end_with_0() {
        QCOMPARE(m_cli.run({"--help"}).code, 0);
        QCOMPARE(m_cli.run({"--version"}).code, 0);
        QVERIFY(m_cli.run({"quantize", "--help"}).out.contains("--type"));
    }

    void a_failed_command_leaves_no_output() {
        const Answer answer = m_cli.run(
            {"quantize", QStringLiteral(ESPALIER_TEST_DATA "/malformed/data_truncated.gguf"),
             "--type", "q8_0", "--out", m_cli.path("out.gguf")});
        QCOMPARE(answer.code, 3);
        QVERIFY(!std::filesystem::exists(m_cli.file("out.gguf")));
        QVERIFY(!std::filesystem::exists(m_cli.file("out.gguf.partial")));
    }

    void a_plan_for_another_model_is_refused() {
        QFile plan(m_cli.path("plan.json"));
        QVERIFY(plan.open(QIODevice::WriteOnly));
        plan.write(R"({"version": 1, "layers": [{"kept": [0, 99]}]})");
        plan.close();
        const Answer answer = m_cli.run({"prune", m_cli.sample("model"), "--expert-plan",
                                         m_cli.path("plan.json"), "--out", m_cli.path("cut")});
        QCOMPARE(answer.code, 3);
        QVERIFY(!std::filesystem::exists(m_cli.file("cut")));
    }

private:
    test::Cli m_cli;
};

QTEST_GUILESS_MAIN(tst_cli_errors)
#include "tst_cli_errors.moc"
