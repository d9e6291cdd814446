#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>
#include <QThread>
#include <memory>

#include "base/error.h"
#include "ui/bridge/background_worker.h"

using namespace espalier;
using namespace espalier::ui;

class BackgroundWorkerTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void init() {
        m_worker =
            std::make_unique<BackgroundWorker>(m_folder.filePath("library.sqlite").toStdString());
    }
    void cleanup() { m_worker.reset(); }

    void answers_arrive_on_the_asking_thread() {
        QThread* answered = nullptr;
        QThread* worked = nullptr;
        m_worker->ask(
            this, {}, [&](TaskContext&) { return worked = QThread::currentThread(), 42; },
            [&](int value) {
                QCOMPARE(value, 42);
                answered = QThread::currentThread();
            },
            [](const Failure&) { QFAIL("failed"); });
        QTRY_COMPARE(answered, thread());
        QVERIFY(worked != thread());
    }

    void errors_arrive_with_code_and_hint() {
        Failure caught;
        m_worker->ask(
            this, {},
            [](TaskContext&) -> int {
                throw Error(ErrorCode::DiskFull, "Not enough.", "Free some.");
            },
            [](int) { QFAIL("answered"); }, [&](const Failure& failure) { caught = failure; });
        QTRY_COMPARE(caught, (Failure{"E-DISK-01", "Not enough.", "Free some."}));
    }

    void the_last_request_of_a_topic_wins() {
        QList<int> answers;
        for (int i = 0; i < 20; ++i) {
            m_worker->ask(
                this, "cost", [i](TaskContext&) { return i; },
                [&](int value) { answers.append(value); }, [](const Failure&) {});
        }
        bool isOver = false;
        m_worker->ask(
            this, {}, [](TaskContext&) { return 0; }, [&](int) { isOver = true; },
            [](const Failure&) {});
        QTRY_VERIFY(isOver);
        QCOMPARE(answers, QList<int>{19});
    }

    void an_asker_that_is_gone_gets_no_answer() {
        auto asker = std::make_unique<QObject>();
        bool wasAnswered = false;
        m_worker->ask(
            asker.get(), {}, [](TaskContext&) { return 0; }, [&](int) { wasAnswered = true; },
            [](const Failure&) {});
        asker.reset();
        bool isOver = false;
        m_worker->ask(
            this, {}, [](TaskContext&) { return 0; }, [&](int) { isOver = true; },
            [](const Failure&) {});
        QTRY_VERIFY(isOver);
        QVERIFY(!wasAnswered);
    }

    void what_was_asked_before_the_end_is_done() {
        for (int i = 0; i < 3; ++i) {
            m_worker->run([](TaskContext& context) {
                context.library().put_chat(
                    {.id = 0, .title = "t", .model = "", .messages = "[]", .changed_unix = 1});
            });
        }
        m_worker.reset();
        Library library(m_folder.filePath("library.sqlite").toStdString());
        QCOMPARE(library.chats().size(), std::size_t{3});
    }

private:
    QTemporaryDir m_folder;
    std::unique_ptr<BackgroundWorker> m_worker;
};

QTEST_MAIN(BackgroundWorkerTest)
#include "tst_background_worker.moc"
