#include <QTest>

#include "cli.h"
#include "store/library.h"

using namespace espalier;
using espalier::test::Answer;
using espalier::test::Cli;

class tst_cli_signals : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void a_stop_ends_what_only_waits_for_input_data() {
        QTest::addColumn<int>("signal");
        QTest::addRow("Ctrl+C") << SIGINT;
        QTest::addRow("terminate") << SIGTERM;
    }

    void a_stop_ends_what_only_waits_for_input() {
        QFETCH(int, signal);
        QProcess process;
        m_cli.start(process, {"tokenize", m_cli.sample("model")});
        process.write("{\"text\": \"a\"}\n");
        QVERIFY(process.waitForReadyRead());  // the answer comes while the input is open
        Cli::send(process, signal);
        QCOMPARE(Cli::finish(process).code, 130);
    }

    /// The library is held by somebody else, which is waited for without a look at stop requests.
    void a_second_ctrl_c_ends_at_once() {
        std::filesystem::create_directories(m_cli.file("data"));
        Database holder(m_cli.file("data") / "library.sqlite");
        holder.sql().exec("BEGIN IMMEDIATE");
        QProcess process;
        m_cli.start(process, {"models", "add", m_cli.sample("model")});
        QVERIFY(process.waitForStarted());
        QTRY_VERIFY(has_open(process.processId(), "library.sqlite"));
        Cli::send(process, SIGINT);
        QVERIFY(!process.waitForFinished(500));
        Cli::send(process, SIGINT);
        QCOMPARE(Cli::finish(process).code, 130);
        holder.sql().exec("ROLLBACK");
        QVERIFY(Library(m_cli.file("data") / "library.sqlite").models().empty());
    }

private:
    static bool has_open(qint64 process, const char* name) {
        std::error_code gone;
        for (const auto& file : std::filesystem::directory_iterator(
                 "/proc/" + std::to_string(process) + "/fd", gone)) {
            if (std::filesystem::read_symlink(file, gone).filename() == name) return true;
        }
        return false;
    }

    Cli m_cli;
};

QTEST_GUILESS_MAIN(tst_cli_signals)
#include "tst_cli_signals.moc"
