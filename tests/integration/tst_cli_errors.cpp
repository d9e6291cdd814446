#include <QTest>

#include "cli.h"

using namespace espalier;
using espalier::test::Answer;

class tst_cli_errors : public QObject {
    Q_OBJECT

private Q_SLOTS:
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
        QVERIFY(!answer.err.isEmpty());
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
