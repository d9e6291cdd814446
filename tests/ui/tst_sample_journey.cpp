#include <QComboBox>
#include <QDateTime>
#include <QDir>
#include <QElapsedTimer>
#include <QFileInfo>
#include <QLabel>
#include <QListView>
#include <QListWidget>
#include <QPlainTextEdit>
#include <QRegularExpression>
#include <QSignalSpy>
#include <QSpinBox>
#include <QTabWidget>
#include <QTableView>
#include <QTest>

#include "ui/models/roles.h"
#include "ui/widgets/banner.h"
#include "window_fixture.h"

using namespace espalier::ui;

namespace {

constexpr int kRunTimeout = 240'000;
constexpr int kAnswerTimeout = 60'000;

}  // namespace

/// A model is chosen, calibrated, cut, quantised, measured and talked to, by clicks and keys alone.
class SampleJourneyTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() {
        QTest::failOnWarning(QRegularExpression(QStringLiteral(".*")));
        m_fixture = std::make_unique<WindowFixture>();
        QVERIFY(QTest::qWaitForWindowActive(&m_fixture->window()));
    }
    void init() { QTest::failOnWarning(QRegularExpression(QStringLiteral(".*"))); }
    void cleanupTestCase() { m_fixture.reset(); }

    void a_run_is_started_from_the_wizard() {
        m_fixture->click("start_sample_btn");
        QTRY_VERIFY(m_fixture->find("wiz_nav_start_btn")->isVisible());
        auto* steps = m_fixture->find<QListWidget>("wiz_steps_list");
        steps->setCurrentRow(2);
        m_fixture->find<QSpinBox>("wiz_data_calib_spin")->setValue(6000);
        // One text to compare on is enough here: it is what takes longest.
        auto* texts = m_fixture->find<QTableView>("wiz_data_measure_table");
        while (texts->model()->rowCount() > 1) {
            texts->selectRow(1);
            m_fixture->click("wiz_data_measure_remove_btn");
        }
        steps->setCurrentRow(3);
        m_fixture->click("wiz_nav_start_btn");
        QTRY_VERIFY(m_fixture->runs().isBusy());
        QTRY_VERIFY(m_fixture->find("run_ctl_stop_btn")->isVisible());
        QVERIFY(!m_fixture->find("run_ctl_try_btn")->isVisible());
    }

    void layers_appear_while_it_runs() {
        auto* layers = m_fixture->find<QComboBox>("run_layer_combo");
        QTRY_VERIFY_WITH_TIMEOUT(layers->count() > 0 || !m_fixture->runs().isBusy(), kRunTimeout);
        QVERIFY2(layers->count() > 0, qPrintable(m_fixture->find<Banner>("run_banner")->text()));
        m_fixture->shootBoth(QStringLiteral("run-live"));
    }

    void it_is_stopped_while_it_calibrates() {
        stopTheRun();
        m_fixture->click("run_ctl_resume_btn");
        QTRY_COMPARE(m_fixture->runs().state(), JobState::Running);
    }

    void it_is_stopped_in_its_last_stage() {
        const auto isDone = [this](const char* stage) {
            return QDir(m_fixture->runs().folder()).exists(QLatin1String(stage));
        };
        QTRY_VERIFY_WITH_TIMEOUT(isDone("03-quantize"), kRunTimeout);
        QVERIFY(m_fixture->runs().isBusy());
        stopTheRun();
        QVERIFY(!m_fixture->find("run_ctl_stop_btn")->isVisible());
        m_fixture->shootBoth(QStringLiteral("run-stopped"));
    }

    void it_is_resumed_and_repeats_no_finished_stage() {
        const auto written = [this] {
            const QDir run(m_fixture->runs().folder());
            return QFileInfo(run.filePath(QStringLiteral("01-calibrate/stage.json")))
                .lastModified();
        };
        const QDateTime before = written();
        QVERIFY(before.isValid());
        m_fixture->click("run_ctl_resume_btn");
        QTRY_COMPARE(m_fixture->runs().state(), JobState::Running);
        QTRY_VERIFY(m_fixture->find("run_ctl_stop_btn")->isVisible());
        QVERIFY(!m_fixture->find("run_ctl_resume_btn")->isVisible());
        auto* progress = m_fixture->find<QLabel>("run_progress_label");
        QTRY_VERIFY(progress->text().startsWith(QStringLiteral("Evaluate 4/4")));
        QCOMPARE(written(), before);
    }

    void it_finishes_and_shows_what_was_measured() {
        QTRY_VERIFY_WITH_TIMEOUT(!m_fixture->runs().isBusy(), kRunTimeout);
        QVERIFY2(m_fixture->runs().state() == JobState::Finished,
                 qPrintable(m_fixture->find<Banner>("run_banner")->text()));
        const auto* metrics = m_fixture->find<QTableView>("run_metrics_table")->model();
        QTRY_VERIFY(row(*metrics, QStringLiteral("routing")) >= 0);
        for (const char* id : {"perplexity.python", "kl", "top1", "bytes", "experts"}) {
            QVERIFY2(row(*metrics, QLatin1String(id)) >= 0, id);
        }
        QCOMPARE(m_fixture->find<QComboBox>("run_layer_combo")->count(), 6);
        QTRY_VERIFY(m_fixture->find("run_ctl_try_btn")->isEnabled());
        m_fixture->shootBoth(QStringLiteral("run-finished"));
        const QStringList complaints = keyboardComplaints(m_fixture->window());
        QVERIFY2(complaints.isEmpty(), qPrintable(complaints.join(QLatin1Char('\n'))));
    }

    void the_result_answers_in_the_playground() {
        m_fixture->click("run_ctl_try_btn");
        QTRY_VERIFY_WITH_TIMEOUT(m_fixture->playground().isLoaded(), kAnswerTimeout);
        m_fixture->click("play_greedy_btn");
        m_fixture->find<QSpinBox>("play_max_tokens_spin")->setValue(12);
        ask("def add(a, b):");
        QSignalSpy answered(&m_fixture->playground(), &PlaygroundWorker::answered);
        QVERIFY(answered.wait(kAnswerTimeout));
        auto* answer = m_fixture->find<QTextEdit>("play_message_2_text");
        QVERIFY(!answer->toPlainText().isEmpty());
        QTRY_COMPARE(m_fixture->find<QListView>("play_chat_list")->model()->rowCount(), 1);
        m_fixture->shootBoth(QStringLiteral("play-chat"));
        const QStringList complaints = keyboardComplaints(m_fixture->window());
        QVERIFY2(complaints.isEmpty(), qPrintable(complaints.join(QLatin1Char('\n'))));
    }

    void escape_stops_an_answer_and_keeps_it() {
        m_fixture->find<QSpinBox>("play_max_tokens_spin")->setValue(3000);
        QSignalSpy text(&m_fixture->playground(), &PlaygroundWorker::textArrived);
        QSignalSpy answered(&m_fixture->playground(), &PlaygroundWorker::answered);
        ask("class Tree:");
        QVERIFY(text.wait(kAnswerTimeout));
        QVERIFY(m_fixture->find("play_stop_btn")->isVisible());
        QElapsedTimer clock;
        clock.start();
        m_fixture->press(Qt::Key_Escape);
        QVERIFY(answered.size() > 0 || answered.wait(5000));
        qInfo("the answer stopped after %lld ms", clock.elapsed());
        QVERIFY(!m_fixture->find<QTextEdit>("play_message_4_text")->toPlainText().isEmpty());
    }

    void completion_continues_a_text() {
        m_fixture->find<QTabWidget>("play_mode_tabs")->setCurrentIndex(1);
        m_fixture->find<QSpinBox>("play_max_tokens_spin")->setValue(16);
        auto* text = m_fixture->find<QPlainTextEdit>("play_completion_text");
        text->setPlainText(QStringLiteral("import os\n\ndef "));
        QSignalSpy answered(&m_fixture->playground(), &PlaygroundWorker::answered);
        m_fixture->click("play_completion_btn");
        QVERIFY(answered.wait(kAnswerTimeout));
        QVERIFY(text->toPlainText().size() > 16);
        m_fixture->shootBoth(QStringLiteral("play-completion"));
    }

    void the_run_is_listed() {
        m_fixture->window().showPage(QStringLiteral("start"));
        const auto* recent = m_fixture->find<QTableView>("start_recent_table")->model();
        QTRY_COMPARE(recent->rowCount(), 1);
        QTRY_COMPARE(recent->index(0, 2).data().toString(), QStringLiteral("finished"));
        m_fixture->shootBoth(QStringLiteral("start-with-run"));
        m_fixture->press(Qt::Key_3, Qt::ControlModifier);
        m_fixture->press(Qt::Key_Escape);
        m_fixture->shootBoth(QStringLiteral("runs-list"));
    }

private:
    void stopTheRun() {
        QSignalSpy ended(&m_fixture->runs(), &RunController::stateChanged);
        QElapsedTimer clock;
        clock.start();
        m_fixture->click("run_ctl_stop_btn");
        while (m_fixture->runs().isBusy()) QVERIFY(ended.wait(5000));
        qInfo("the run stopped after %lld ms", clock.elapsed());
        QCOMPARE(m_fixture->runs().state(), JobState::Stopped);
        QTRY_VERIFY(m_fixture->find("run_ctl_resume_btn")->isEnabled());
    }

    static int row(const QAbstractItemModel& model, const QString& id) {
        for (int i = 0; i < model.rowCount(); ++i) {
            if (model.index(i, 0).data(IdRole).toString() == id) return i;
        }
        return -1;
    }

    void ask(const char* text) {
        auto* input = m_fixture->find<QPlainTextEdit>("play_input_text");
        QTest::keyClicks(input, QLatin1String(text));
        QTest::keyClick(input, Qt::Key_Return);
    }

    std::unique_ptr<WindowFixture> m_fixture;
};

QTEST_MAIN(SampleJourneyTest)
#include "tst_sample_journey.moc"
