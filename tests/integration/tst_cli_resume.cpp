#include <QTest>
#include <filesystem>

#include "../pipeline/sample_run.h"
#include "cli.h"
#include "pipeline/recipe.h"

using namespace espalier;
using espalier::test::Answer;
using espalier::test::Cli;
namespace fs = std::filesystem;

/// Runs that are killed at any moment and go on: stages without calibration, which has its own
/// test.
class tst_cli_resume : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() {
        const auto folder = m_cli.file("");
        write_json_file(m_cli.file("recipe.json"),
                        to_json(test::sample_run(folder, "q4_k_m").recipe));
        QElapsedTimer timer;
        timer.start();
        const Answer whole = run("whole", false);
        m_whole_ms = timer.elapsed();
        VERIFY_DONE(whole);
        m_sha256 = report("whole").at("result").at("sha256").get<std::string>();
    }

    void killed_at_any_moment_it_ends_with_the_same_bytes_data() {
        QTest::addColumn<int>("percent");
        for (const int percent : {3, 10, 20, 35, 50, 65, 80, 95}) {
            QTest::addRow("after %d %%", percent) << percent;
        }
    }

    void killed_at_any_moment_it_ends_with_the_same_bytes() {
        QFETCH(int, percent);
        const QByteArray name = "killed" + QByteArray::number(percent);
        QProcess process;
        m_cli.start(process, arguments(name.constData(), false));
        QVERIFY(process.waitForStarted());
        process.waitForFinished(static_cast<int>(m_whole_ms * percent / 100));
        Cli::send(process, SIGKILL);
        process.waitForFinished();
        const auto finished = finished_stages(name.constData());

        VERIFY_DONE(run(name.constData(), true));
        QCOMPARE(report(name.constData()).at("result").at("sha256").get<std::string>(), m_sha256);
        for (const auto& [stage, time] : finished) {
            QVERIFY2(fs::last_write_time(stage) == time, "a finished stage was done again");
        }
        for (const auto& entry : fs::directory_iterator(m_cli.file(name.constData()))) {
            QVERIFY(entry.path().extension() != ".partial");
        }
    }

    void ctrl_c_ends_a_run_with_130_and_it_goes_on() {
        QProcess process;
        m_cli.start(process, arguments("interrupted", false));
        QTRY_VERIFY(fs::exists(m_cli.file("interrupted") / "01-prune"));
        Cli::send(process, SIGINT);
        const Answer answer = Cli::finish(process);
        QCOMPARE(answer.code, 130);
        VERIFY_DONE(run("interrupted", true));
        QCOMPARE(report("interrupted").at("result").at("sha256").get<std::string>(), m_sha256);
    }

    void a_run_that_is_going_on_is_left_alone() {
        QProcess process;
        m_cli.start(process, arguments("busy", false));
        QTRY_VERIFY(fs::exists(m_cli.file("busy") / "recipe.json"));
        const Answer second = m_cli.run(QStringList{"--json"} + arguments("busy", true));
        QCOMPARE(second.code, 3);
        COMPARE_JSON(second.json().at("error").at("code"), Json("E-RUN-02"));
        VERIFY_DONE(Cli::finish(process));
    }

    void a_finished_run_is_not_overwritten() {
        const Answer answer = m_cli.run(QStringList{"--json"} + arguments("whole", false));
        QCOMPARE(answer.code, 3);
        COMPARE_JSON(answer.json().at("error").at("code"), Json("E-FILE-07"));
        VERIFY_DONE(run("whole", true));
    }

    void lost_routing_is_waited_with_until_it_is_accepted() {
        QStringList held = arguments("held", false);
        held.removeOne("--accept-routing");
        const Answer answer = m_cli.run(QStringList{"--json"} + held);
        QCOMPARE(answer.code, 3);
        const std::string message = answer.json().at("error").at("message");
        QVERIFY2(message.find("restricted_kl") != std::string::npos, message.c_str());
        QVERIFY(fs::exists(m_cli.file("held") / "01-prune"));
        QVERIFY(!fs::exists(m_cli.file("held") / "02-quantize"));
        VERIFY_DONE(run("held", true));
        QCOMPARE(report("held").at("result").at("sha256").get<std::string>(), m_sha256);
        QVERIFY(report("held").at("stages")[0].at("routing_accepted").get<bool>());
    }

    void a_recipe_with_a_mistake_is_named_before_any_work() {
        Json recipe = read_json_file(m_cli.file("recipe.json"));
        recipe["stages"][1]["typo"] = 1;
        write_json_file(m_cli.file("wrong.json"), recipe);
        const Answer answer =
            m_cli.run({"--json", "run", m_cli.path("wrong.json"), "--out", m_cli.path("wrong")});
        QCOMPARE(answer.code, 3);
        COMPARE_JSON(answer.json().at("error").at("code"), Json("E-RUN-03"));
        QVERIFY(answer.err.contains("typo"));
        QVERIFY(!fs::exists(m_cli.file("wrong")));
    }

private:
    QStringList arguments(const char* name, bool resumes) const {
        QStringList list{"run", m_cli.path("recipe.json"), "--accept-routing", "--out",
                         m_cli.path(name)};
        if (resumes) list << "--resume";
        return list;
    }

    Answer run(const char* name, bool resumes) const { return m_cli.run(arguments(name, resumes)); }

    Json report(const char* name) const { return read_json_file(m_cli.file(name) / "report.json"); }

    std::map<fs::path, fs::file_time_type> finished_stages(const char* name) const {
        std::map<fs::path, fs::file_time_type> stages;
        if (!fs::exists(m_cli.file(name))) return stages;
        for (const auto& entry : fs::directory_iterator(m_cli.file(name))) {
            const fs::path record = entry.path() / "stage.json";
            if (entry.path().extension() == ".partial" || !fs::exists(record)) continue;
            stages[record] = fs::last_write_time(record);
        }
        return stages;
    }

    Cli m_cli;
    qint64 m_whole_ms = 0;
    std::string m_sha256;
};

QTEST_GUILESS_MAIN(tst_cli_resume)
#include "tst_cli_resume.moc"
