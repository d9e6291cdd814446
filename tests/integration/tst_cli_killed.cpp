#include <QElapsedTimer>
#include <QTest>
#include <filesystem>
#include <thread>

#include "cli.h"
#include "run_compare.h"

using namespace espalier;
using espalier::test::Answer;
using espalier::test::Cli;
namespace fs = std::filesystem;

/// Work that is killed, once in every stage, and goes on: the results have the same bytes.
class tst_cli_killed : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() {
        Json recipe = read_json_file(ESPALIER_SAMPLE "/recipe.json");
        recipe["model"] = m_cli.sample("model").toStdString();
        for (Json& data : recipe["data"]) {
            data["path"] = ESPALIER_SAMPLE "/" + data["path"].get<std::string>();
        }
        recipe["stages"][0]["tokens"] = 6000;
        recipe["stages"][0]["context"] = 256;
        recipe["stages"][3]["files"] = {ESPALIER_SAMPLE "/heldout/cpp.txt"};
        recipe["stages"][3]["context"] = 256;
        recipe["stages"][3]["max_windows"] = 8;
        write_json_file(m_cli.file("recipe.json"), recipe);
        VERIFY_DONE(m_cli.run(run_arguments("whole", false)));
        QElapsedTimer timer;
        timer.start();
        VERIFY_DONE(m_cli.run(calibrate_arguments("whole.safetensors")));
        m_calibrate_ms = timer.elapsed();
        m_stats_sha256 = sha256_of_file(m_cli.file("whole.safetensors"));
    }

    void a_run_killed_in_every_stage_ends_with_the_same_bytes() {
        const fs::path run = m_cli.file("killed");
        bool resumes = false;
        for (const char* stage : {"01-calibrate", "02-prune", "03-quantize", "04-evaluate"}) {
            const fs::path partial = run / (std::string(stage) + ".partial");
            QVERIFY2(
                kill_when(run_arguments("killed", resumes), [&] { return fs::exists(partial); }),
                stage);
            QVERIFY2(fs::exists(partial) && !fs::exists(run / stage), stage);
            resumes = true;
        }
        VERIFY_DONE(m_cli.run(run_arguments("killed", true)));
        const QString difference = test::difference_of_runs(m_cli.file("whole"), run);
        QVERIFY2(difference.isEmpty(), qPrintable(difference));
    }

    void a_calibration_killed_after_any_layer_ends_with_the_same_bytes() {
        const fs::path partial = m_cli.file("killed.safetensors.partial");
        for (const char* layer : {"request.json", "layer.0.safetensors", "layer.3.safetensors"}) {
            QVERIFY2(kill_when(calibrate_arguments("killed.safetensors"),
                               [&] { return fs::exists(partial / layer); }),
                     layer);
            QVERIFY(!fs::exists(m_cli.file("killed.safetensors")));
        }
        const Answer last = m_cli.run(calibrate_arguments("killed.safetensors"));
        VERIFY_DONE(last);
        QVERIFY(last.json().at("metrics").at("layers_resumed").get<int>() >= 3);
        QVERIFY(!fs::exists(partial));
        for (const char* part : {".safetensors", ".vectors.safetensors"}) {
            const auto name = [&](const char* stem) {
                return m_cli.file((std::string(stem) + part).c_str());
            };
            QCOMPARE(sha256_of_file(name("killed")), sha256_of_file(name("whole")));
        }
    }

    void a_calibration_killed_at_any_time_ends_with_the_same_bytes_data() {
        QTest::addColumn<int>("percent");
        for (const int percent : {5, 30, 60, 90, 97}) {
            QTest::addRow("after %d %%", percent) << percent;
        }
    }

    void a_calibration_killed_at_any_time_ends_with_the_same_bytes() {
        QFETCH(int, percent);
        const QByteArray name = "killed" + QByteArray::number(percent) + ".safetensors";
        QProcess process;
        m_cli.start(process, calibrate_arguments(name.constData()));
        QVERIFY(process.waitForStarted());
        process.waitForFinished(static_cast<int>(m_calibrate_ms * percent / 100));
        Cli::send(process, SIGKILL);
        process.waitForFinished();
        // Under its final name a file is whole, whatever the moment was.
        const fs::path file = m_cli.file(name.constData());
        if (fs::exists(file)) QCOMPARE(sha256_of_file(file), m_stats_sha256);
        VERIFY_DONE(m_cli.run(calibrate_arguments(name.constData())));
        QCOMPARE(sha256_of_file(file), m_stats_sha256);
    }

    void rounds_killed_in_each_end_with_the_same_bytes() {
        VERIFY_DONE(m_cli.run(rounds_arguments("cut")));
        const fs::path out = m_cli.file("cut-killed");
        const fs::path rounds = m_cli.file("cut-killed.rounds");
        const fs::path partial = m_cli.file("cut-killed.partial");
        for (const fs::path& moment :
             {rounds / "schedule.json", rounds / "01" / "plan.json",
              rounds / "01" / "stats.safetensors.partial" / "layer.2.safetensors",
              rounds / "01" / "round.json", rounds / "02" / "plan.json",
              rounds / "03" / "round.json", partial / "model.safetensors.partial"}) {
            QVERIFY2(kill_when(rounds_arguments("cut-killed"), [&] { return fs::exists(moment); }),
                     moment.c_str());
            QVERIFY2(!fs::exists(out), moment.c_str());
        }
        VERIFY_DONE(m_cli.run(rounds_arguments("cut-killed")));
        QVERIFY(!fs::exists(partial));
        for (const auto& [whole, killed] :
             {std::pair{m_cli.file("cut"), out}, {m_cli.file("cut.rounds"), rounds}}) {
            const QString difference = test::difference_of_runs(whole, killed);
            QVERIFY2(difference.isEmpty(), qPrintable(difference));
        }
    }

private:
    /// Kills the call as soon as `is_time` says so; false if it ended before.
    template <typename Condition>
    bool kill_when(const QStringList& arguments, const Condition& is_time) const {
        QProcess process;
        m_cli.start(process, arguments);
        if (!process.waitForStarted()) return false;
        QElapsedTimer timer;
        timer.start();
        while (!is_time() && process.state() == QProcess::Running && timer.elapsed() < 60'000) {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
            process.waitForFinished(0);
        }
        const bool was_running = process.state() == QProcess::Running && is_time();
        process.kill();
        process.waitForFinished();
        return was_running;
    }

    QStringList run_arguments(const char* name, bool resumes) const {
        QStringList list{"run", m_cli.path("recipe.json"), "--out", m_cli.path(name)};
        if (resumes) list << "--resume";
        return list;
    }

    QStringList calibrate_arguments(const char* out) const {
        return {"--json",
                "calibrate",
                m_cli.sample("model"),
                "--data",
                m_cli.sample("calibration/python.txt"),
                "--tokens",
                "8192",
                "--context",
                "256",
                "--out",
                m_cli.path(out)};
    }

    /// Three rounds, each measured anew.
    QStringList rounds_arguments(const char* out) const {
        return {"prune",           m_cli.sample("model"),
                "--stats",         m_cli.path("whole.safetensors"),
                "--keep",          "16",
                "--rounds",        "3",
                "--remeasure",     "1",
                "--data",          m_cli.sample("calibration/python.txt"),
                "--search-tokens", "1024",
                "--accept",        "low_task_mass",
                "--out",           m_cli.path(out)};
    }

    Cli m_cli;
    qint64 m_calibrate_ms = 0;
    std::string m_stats_sha256;
};

QTEST_GUILESS_MAIN(tst_cli_killed)
#include "tst_cli_killed.moc"
