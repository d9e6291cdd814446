#include <QElapsedTimer>
#include <QSignalSpy>
#include <QTest>
#include <thread>

#include "ui/bridge/run_bridge.h"
#include "ui/bridge/run_controller.h"

using namespace espalier;
using namespace espalier::ui;

namespace {

std::vector<RunEvent> all_events(const QSignalSpy& spy) {
    std::vector<RunEvent> events;
    for (const auto& arguments : spy) {
        for (const RunEvent& event : arguments.first().value<std::vector<RunEvent>>())
            events.push_back(event);
    }
    return events;
}

bool is_over(const QSignalSpy& spy) {
    const auto events = all_events(spy);
    return !events.empty() && std::holds_alternative<RunFinished>(events.back());
}

}  // namespace

class RunBridgeTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void events_keep_their_order() {
        RunBridge bridge;
        QSignalSpy spy(&bridge, &RunBridge::eventsArrived);
        std::jthread worker([&] {
            for (std::size_t stage = 0; stage < 3; ++stage) {
                bridge.on_event(StageStarted{stage, 3, "prune"});
                for (int step = 0; step < 1000; ++step)
                    bridge.on_event(StageProgress{stage, step / 1000.0, ""});
                bridge.on_event(StageFinished{stage, "prune"});
            }
            bridge.on_event(RunFinished{});
        });
        QTRY_VERIFY(is_over(spy));
        std::size_t next = 0;
        double fraction = -1;
        for (const RunEvent& event : all_events(spy)) {
            if (const auto* started = std::get_if<StageStarted>(&event)) {
                QCOMPARE(started->index, next);
                fraction = -1;
            } else if (const auto* progress = std::get_if<StageProgress>(&event)) {
                QCOMPARE(progress->index, next);
                QVERIFY(progress->fraction > fraction);
                fraction = progress->fraction;
            } else if (const auto* finished = std::get_if<StageFinished>(&event)) {
                QCOMPARE(finished->index, next++);
            }
        }
        QCOMPARE(next, std::size_t{3});
    }

    void everything_but_progress_arrives() {
        RunBridge bridge;
        QSignalSpy spy(&bridge, &RunBridge::eventsArrived);
        constexpr int kLines = 5000;
        std::jthread worker([&] {
            for (int i = 0; i < kLines; ++i) {
                bridge.on_event(LogLine{"info", std::to_string(i)});
                bridge.on_event(StageProgress{0, i / double{kLines}, ""});
                bridge.on_event(StageProgress{0, i / double{kLines}, ""});
            }
            bridge.on_event(RunFinished{});
        });
        QTRY_VERIFY(is_over(spy));
        int line = 0;
        for (const RunEvent& event : all_events(spy)) {
            if (const auto* log = std::get_if<LogLine>(&event))
                QCOMPARE(log->text, std::to_string(line++));
        }
        QCOMPARE(line, kLines);
    }

    void batches_are_at_least_an_interval_apart() {
        RunBridge bridge;
        std::vector<qint64> times;
        QElapsedTimer clock;
        clock.start();
        connect(&bridge, &RunBridge::eventsArrived, this,
                [&] { times.push_back(clock.elapsed()); });
        QSignalSpy spy(&bridge, &RunBridge::eventsArrived);
        std::jthread worker([&] {
            for (int i = 0; i < 400; ++i) {
                bridge.on_event(LogLine{"info", "busy"});
                std::this_thread::sleep_for(std::chrono::milliseconds(1));
            }
            bridge.on_event(RunFinished{});
        });
        QTRY_VERIFY(is_over(spy));
        QVERIFY(times.size() >= 2);
        for (std::size_t i = 1; i < times.size(); ++i) {
            // Timers may fire up to 5 % early.
            QVERIFY2(times[i] - times[i - 1] >= 45,
                     qPrintable(QString::number(times[i] - times[i - 1])));
        }
    }

    void a_recipe_that_cannot_run_fails_and_says_why() {
        RunController controller;
        QSignalSpy events(&controller, &RunController::eventsArrived);
        controller.start(
            {.recipe = {.model = "/nowhere", .data = {}, .seed = 0, .stages = {{"prune", {}}}},
             .out = "/nowhere/out",
             .library = {}});
        QCOMPARE(controller.state(), JobState::Running);
        QTRY_COMPARE(controller.state(), JobState::Failed);
        const auto last = all_events(events).back();
        QVERIFY(!std::get<RunFinished>(last).code.empty());
    }
};

QTEST_MAIN(RunBridgeTest)
#include "tst_run_bridge.moc"
