#include <QTemporaryDir>
#include <QTest>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <mutex>
#include <vector>

#include "base/atomic_file.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/log.h"
#include "pipeline/run_folder.h"
#include "pipeline/runner.h"
#include "pipeline/stage.h"
#include "store/library.h"
#include "support/error_of.h"
#include "support/synthetic_model.h"

using namespace espalier;
namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {

/// Collects events; wait_for() blocks until one of a kind has come.
class Collector : public RunObserver {
public:
    void on_event(const RunEvent& event) override {
        const std::scoped_lock lock(mutex_);
        events_.push_back(event);
        changed_.notify_all();
    }

    template <typename Event>
    bool wait_for() {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, 10s, [&] { return count_locked<Event>() > 0; });
    }

    template <typename Event>
    std::vector<Event> all() {
        const std::scoped_lock lock(mutex_);
        std::vector<Event> result;
        for (const RunEvent& event : events_) {
            if (const auto* found = std::get_if<Event>(&event)) result.push_back(*found);
        }
        return result;
    }

    bool last_is_finished() {
        const std::scoped_lock lock(mutex_);
        return !events_.empty() && std::holds_alternative<RunFinished>(events_.back());
    }

private:
    template <typename Event>
    std::size_t count_locked() const {
        std::size_t count = 0;
        for (const RunEvent& event : events_) count += std::holds_alternative<Event>(event) ? 1 : 0;
        return count;
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<RunEvent> events_;
};

int g_runs = 0;  // of the stage "test_note"

StageOutput note(const StageContext& context) {
    ++g_runs;
    StageOutput output;
    output.model = context.folder / "model.gguf";
    write_file(output.model, fmt::format("stage {}", context.index));
    context.observer.on_event(StageProgress{99, 0.5, "half"});
    context.observer.on_event(StageProgress{99, 0.2, "back"});
    context.observer.on_event(StageProgress{99, 1.5, "over"});
    context.observer.on_event(MetricMeasured{"kl", 0.25});
    context.observer.on_event(LayerMeasured{1, {0.5, 0.5}, {1, 2}, {0}});
    output.metrics = {{"kl", 0.25}};
    return output;
}

/// Leaves a model whose routing is beyond its limits.
StageOutput lose_routing(const StageContext& context) {
    StageOutput output = note(context);
    output.routing = {{"verdict", "fail"},
                      {"worst",
                       {{{"metric", "restricted_kl"},
                         {"value", 0.2134},
                         {"layers", {3}},
                         {"warn", 0.15},
                         {"verdict", "fail"}},
                        {{"metric", "load_tv"},
                         {"value", 0.31},
                         {"layers", {0, 3}},
                         {"task", "cpp"},
                         {"warn", 0.2},
                         {"verdict", "fail"}},
                        {{"metric", "displaced"},
                         {"value", 0.4},
                         {"layers", {3}},
                         {"warn", 0.35},
                         {"verdict", "warn"}}}}};
    return output;
}

StageOutput wait_for_stop(const StageContext& context) {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    context.observer.on_event(StageProgress{0, 0.1, "waiting"});
    never.wait(lock, context.stop, [] { return false; });
    throw_if_stopped(context.stop);
    return {};
}

StageOutput fail(const StageContext&) {
    throw Error(ErrorCode::NumberInvalid, "Layer 3 has a NaN.", "Look at it.");
}

StageOutput run_out_of_memory(const StageContext&) { throw std::bad_alloc(); }

StageOutput talk(const StageContext& context) {
    log("test").warn("logged from the stage");
    context.observer.on_event(LogLine{"warning", "sent from the stage"});
    return {};
}

Stage stage(const char* name, StageOutput (*run)(const StageContext&)) {
    return {name, [](const Json&) {}, run, 1.0, {}};
}

}  // namespace

class tst_runner : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() {
        register_stage(stage("test_note", note));
        register_stage(stage("test_wait", wait_for_stop));
        register_stage(stage("test_fail", fail));
        register_stage(stage("test_lost", lose_routing));
        Stage measuring = stage("test_measure", talk);
        measuring.only_measures = true;
        register_stage(measuring);
        register_stage(stage("test_log", talk));
        register_stage(stage("test_memory", run_out_of_memory));
        test::write_synthetic_model({}, root() / "model");
    }

    void init() { g_runs = 0; }

    void runs_the_stages_in_order_and_reports() {
        Collector events;
        const RunRequest request = make("ok", {"test_note", "test_note"});
        QCOMPARE(run_recipe(request, events, {}), RunOutcome::Finished);
        QVERIFY(events.last_is_finished());
        QCOMPARE(events.all<StageStarted>().size(), std::size_t{2});
        QCOMPARE(events.all<StageFinished>()[1].index, std::size_t{1});

        const Json report = read_json_file(request.out / "report.json");
        QCOMPARE(report.at("version").get<int>(), 1);
        QCOMPARE(report.at("recipe_hash").get<std::string>(), recipe_hash(request.recipe));
        QCOMPARE(report.at("stages").at(1).at("metrics").at("kl").get<double>(), 0.25);
        QVERIFY(report.at("stages").at(0).at("peak_bytes").get<std::uint64_t>() > 0);
        const Json result = report.at("result");
        QCOMPARE(result.at("path").get<std::string>(),
                 (request.out / "02-test_note" / "model.gguf").string());
        QCOMPARE(result.at("bytes").get<int>(), 7);
        QCOMPARE(result.at("sha256").get<std::string>(),
                 std::string("1e12c23b65aea01dc73904c4f2541da9016501ff2f3f4b68f4d3e29bbb0e834c"));
        QVERIFY(fs::exists(request.out / "report.md"));
    }

    void progress_never_goes_back_and_names_its_stage() {
        Collector events;
        run_recipe(make("progress", {"test_note", "test_note"}), events, {});
        const auto progress = events.all<StageProgress>();
        QCOMPARE(progress.size(), std::size_t{6});
        QCOMPARE(progress[4].index, std::size_t{1});
        QCOMPARE(progress[3].fraction, 0.5);
        QCOMPARE(progress[4].fraction, 0.5);
        QCOMPARE(progress[5].fraction, 1.0);
    }

    void stops_when_asked() {
        Collector events;
        Runner runner(events);
        runner.start(make("stop", {"test_wait"}));
        QVERIFY(runner.is_running());
        QVERIFY(events.wait_for<StageProgress>());
        runner.request_stop();
        QVERIFY(events.wait_for<RunFinished>());
        QCOMPARE(events.all<RunFinished>().front().outcome, RunOutcome::Stopped);
        QVERIFY(!runner.is_running());
    }

    void destruction_stops_and_joins() {
        Collector events;
        {
            Runner runner(events);
            runner.start(make("destroy", {"test_wait"}));
            QVERIFY(events.wait_for<StageProgress>());
        }
        QVERIFY(events.last_is_finished());
    }

    void one_run_at_a_time_but_one_after_the_other() {
        Collector events;
        Runner runner(events);
        runner.start(make("first", {"test_wait"}));
        const auto error = test::error_of([&] { runner.start(make("second", {"test_note"})); });
        QVERIFY(error);
        QCOMPARE(error->code(), ErrorCode::UsageInvalid);
        runner.request_stop();
        QVERIFY(events.wait_for<RunFinished>());
        runner.start(make("third", {"test_note"}));
        QTRY_COMPARE(events.all<RunFinished>().size(), std::size_t{2});
        QCOMPARE(events.all<RunFinished>().back().outcome, RunOutcome::Finished);
    }

    void an_observer_may_log_what_it_hears() {
        class Echo : public RunObserver {
        public:
            void on_event(const RunEvent& event) override {
                const auto* line = std::get_if<LogLine>(&event);
                if (line == nullptr || line->text.find("from the stage") == std::string::npos)
                    return;
                ++heard;
                log("echo").info("heard: {}", line->text);
            }
            int heard = 0;
        } echo;
        const RunRequest request = make("echo", {"test_log"});
        QCOMPARE(run_recipe(request, echo, {}), RunOutcome::Finished);
        QCOMPARE(echo.heard, 2);  // one logged, one sent as an event; no echo of the echo
        const std::string text = read_file(request.out / "log.txt");
        QVERIFY(text.find("logged from the stage") != std::string::npos);
        QVERIFY(text.find("sent from the stage") != std::string::npos);
        QVERIFY(text.find("heard:") == std::string::npos);
    }

    void failure_is_told_with_code_and_hint_data() {
        QTest::addColumn<QString>("stage");
        QTest::addColumn<QString>("code");
        QTest::addRow("error") << "test_fail"
                               << "E-NUM-01";
        QTest::addRow("memory") << "test_memory"
                                << "E-MEM-01";
    }

    void failure_is_told_with_code_and_hint() {
        QFETCH(QString, stage);
        QFETCH(QString, code);
        Collector events;
        QCOMPARE(run_recipe(make("fail-" + stage.toStdString(), {stage.toStdString()}), events, {}),
                 RunOutcome::Failed);
        const RunFinished end = events.all<RunFinished>().front();
        QCOMPARE(QString::fromStdString(end.code), code);
        QVERIFY(!end.message.empty());
        if (code == "E-NUM-01")
            QCOMPARE(end.message, std::string("Layer 3 has a NaN. Look at it."));
    }

    void resuming_skips_finished_stages() {
        Collector events;
        RunRequest request = make("resume", {"test_note", "test_wait", "test_note"});
        std::stop_source stop;
        std::jthread runner([&] { run_recipe(request, events, stop.get_token()); });
        while (events.all<StageStarted>().size() < 2) std::this_thread::sleep_for(1ms);
        stop.request_stop();
        runner.join();
        QCOMPARE(g_runs, 1);
        QVERIFY(fs::exists(request.out / "02-test_wait.partial"));

        register_stage(stage("test_wait", note));
        request.resumes = true;
        Collector again;
        QCOMPARE(run_recipe(request, again, {}), RunOutcome::Finished);
        register_stage(stage("test_wait", wait_for_stop));
        QCOMPARE(g_runs, 3);
        QCOMPARE(again.all<StageFinished>().size(), std::size_t{3});
        QVERIFY(!fs::exists(request.out / "02-test_wait.partial"));
    }

    void what_would_build_on_lost_routing_waits_until_that_is_accepted() {
        RunRequest request =
            make("held", {"test_lost", "test_measure", "test_note", "test_lost", "test_note"});
        request.library = root() / "held.sqlite";
        const auto state = [&] {
            return Library(request.library).find_run(request.out.string())->state;
        };
        Collector events;
        QCOMPARE(run_recipe(request, events, {}), RunOutcome::Held);
        QCOMPARE(g_runs, 1);
        QCOMPARE(events.all<StageFinished>().size(), std::size_t{2});  // what measures goes on
        const RunFinished end = events.all<RunFinished>().front();
        QCOMPARE(end.code, std::string("E-RUN-01"));
        QCOMPARE(end.message,
                 std::string("The stage test_lost failed the limits for routing: restricted_kl "
                             "0.213 in layer 3 (limit 0.15), load_tv 0.31 in layers 0, 3 for cpp "
                             "(limit 0.2)."));
        QCOMPARE(state(), std::string("held"));

        request.resumes = true;
        Collector unasked;
        QCOMPARE(run_recipe(request, unasked, {}), RunOutcome::Held);
        QCOMPARE(g_runs, 1);

        // What is accepted of the stages so far says nothing of those to come.
        request.accepts_routing = 2;
        Collector accepted;
        QCOMPARE(run_recipe(request, accepted, {}), RunOutcome::Held);
        QCOMPARE(g_runs, 3);
        QVERIFY(read_json_file(request.out / "01-test_lost/stage.json").at("routing_accepted"));
        QVERIFY(
            !read_json_file(request.out / "04-test_lost/stage.json").contains("routing_accepted"));

        request.accepts_routing = kAllStages;
        Collector all;
        QCOMPARE(run_recipe(request, all, {}), RunOutcome::Finished);
        QCOMPARE(g_runs, 4);
        const Json stages = read_json_file(request.out / "report.json").at("stages");
        QVERIFY(stages[0].at("routing_accepted") && stages[3].at("routing_accepted"));
        QVERIFY(!stages[2].contains("routing_accepted"));
        QCOMPARE(state(), std::string("finished"));
    }

    void a_locked_folder_is_refused() {
        RunRequest request = make("locked", {"test_note"});
        const RunFolder holder(request.out, request.recipe, false);
        request.resumes = true;
        Collector events;
        QCOMPARE(run_recipe(request, events, {}), RunOutcome::Failed);
        QCOMPARE(events.all<RunFinished>().front().code, std::string("E-RUN-02"));
    }

    void the_library_follows_the_run() {
        Collector events;
        RunRequest request = make("indexed", {"test_note"});
        request.library = root() / "library.sqlite";
        run_recipe(request, events, {});
        Library library(request.library);
        const RunRecord run = library.find_run(request.out.string()).value();
        QCOMPARE(run.state, std::string("finished"));
        QVERIFY(!run.report.empty());
        QCOMPARE(library.metrics(run.path).at("kl"), 0.25);
        QCOMPARE(library.routing(run.path).front().saliency, (std::vector<double>{1, 2}));
        QCOMPARE(library.stages(run.path).front().stage, std::string("test_note"));
    }

    void a_broken_library_does_not_stop_the_run() {
        Collector events;
        RunRequest request = make("unindexed", {"test_note"});
        request.library = root() / "broken.sqlite";
        std::ofstream(request.library) << std::string(4096, 'x');
        QCOMPARE(run_recipe(request, events, {}), RunOutcome::Finished);
        QVERIFY(!events.all<LogLine>().empty());
    }

private:
    fs::path root() const { return fs::path(m_dir.path().toStdString()); }

    RunRequest make(const std::string& name, const std::vector<std::string>& stages) const {
        RunRequest request;
        request.recipe.model = root() / "model";
        for (const auto& entry : stages) request.recipe.stages.push_back({entry, Json::object()});
        request.out = root() / name;
        return request;
    }

    QTemporaryDir m_dir;
};

QTEST_GUILESS_MAIN(tst_runner)
#include "tst_runner.moc"
