#include "pipeline/runner.h"

#include <chrono>
#include <filesystem>
#include <fmt/format.h>
#include <new>
#include <string>
#include <utility>
#include <variant>

#include "base/cancel.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "model/model_source.h"
#include "pipeline/artifact_hash.h"
#include "pipeline/output_place.h"
#include "pipeline/plan_estimate.h"
#include "pipeline/run_folder.h"
#include "pipeline/run_log.h"
#include "pipeline/run_recorder.h"
#include "pipeline/run_report.h"
#include "pipeline/stage.h"
#include "pipeline/stage_routing.h"
#include "routing/routing_report.h"
#include "store/routing_refusal.h"

namespace espalier {
namespace fs = std::filesystem;
namespace {

constexpr int kReportVersion = 1;

/// One pass over a recipe's stages.
class Execution {
public:
    Execution(const RunRequest& request, RunFolder& folder, RunRecorder& recorder,
              std::stop_token stop)
        : request_(request), folder_(folder), recorder_(recorder), stop_(std::move(stop)) {
        state_.original = request.recipe.model;
        state_.model = request.recipe.model;
    }

    Json run() {
        const auto& stages = request_.recipe.stages;
        Json records = Json::array();
        for (std::size_t index = 0; index < stages.size(); ++index) {
            throw_if_stopped(stop_);
            const std::string& name = stages[index].stage;
            if (!find_stage(name).only_measures) hold_if_unaccepted(records);
            recorder_.begin_stage(index, stages.size(), name);
            auto record = folder_.finished_stage(index, name);
            if (!record) record = run_stage(index);
            if (is_routing_refused(*record) && index < request_.accepts_routing)
                accept(index, *record);
            adopt(*record, folder_.stage_path(index, name));
            recorder_.finish_stage(index, name, *record);
            records.push_back({{"stage", name},
                               {"seconds", record->at("seconds")},
                               {"peak_bytes", record->at("peak_bytes")},
                               {"metrics", record->at("metrics")},
                               {"routing", record->at("routing")}});
            if (record->contains(kRoutingAccepted)) records.back()[kRoutingAccepted] = true;
        }
        return finish(std::move(records));
    }

private:
    void accept(std::size_t index, Json& record) {
        record[kRoutingAccepted] = true;
        folder_.replace_record(index, request_.recipe.stages[index].stage, record);
    }

    /// Lost routing is a person's to accept before anything builds on it.
    static void hold_if_unaccepted(const Json& records) {
        for (const Json& record : records) {
            if (!is_routing_refused(record)) continue;
            throw RoutingHeld(ErrorCode::RunStage,
                              fmt::format("The stage {} failed the limits for routing: {}.",
                                          record.at("stage").get<std::string>(),
                                          routing_failures(record.at("routing"))),
                              "Choose a smaller cut, or accept it: run --resume --accept-routing.");
        }
    }

    Json run_stage(std::size_t index) {
        const StageEntry& entry = request_.recipe.stages[index];
        const fs::path partial = folder_.partial_path(index, entry.stage);
        fs::create_directories(partial);
        const StageContext context{
            request_.recipe,        entry,     index, state_, partial, request_.num_threads,
            request_.memory_budget, recorder_, stop_};
        const auto start = std::chrono::steady_clock::now();
        const PeakMemory peak;
        StageOutput output = find_stage(entry.stage).run(context);
        if (output.model.empty() && output.routing.empty()) output.routing = unchanged_routing();
        if (!output.routing.empty()) {
            write_json_file(partial / "routing_report.json", output.routing);
        }
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;

        const auto inside = [&](const fs::path& path) {
            return path.empty() ? std::string() : path.lexically_relative(partial).string();
        };
        Json record = {{"stage", entry.stage},
                       {"config", entry.config},
                       {"seconds", took.count()},
                       {"peak_bytes", peak.peak_anonymous_bytes()},
                       {"metrics", output.metrics},
                       {"routing", brief_routing(std::move(output.routing))},
                       {"outputs",
                        {{"model", inside(output.model)},
                         {"stats", inside(output.stats)},
                         {"plan", inside(output.plan)}}}};
        folder_.finish_stage(index, entry.stage, record);
        return record;
    }

    /// What a finished stage left becomes what the next one starts from.
    void adopt(const Json& record, const fs::path& stage_folder) {
        const Json& outputs = record.at("outputs");
        const auto take = [&](const char* key, fs::path& into) {
            const auto name = outputs.at(key).get<std::string>();
            if (!name.empty()) into = stage_folder / name;
            return !name.empty();
        };
        if (take("stats", state_.stats)) state_.stats_model = state_.model;
        take("plan", state_.plan);
        take("model", state_.model);
    }

    Json finish(Json records) {
        Json result = Json::object();
        if (state_.model != state_.original) {
            const ArtifactSize artifact = hash_artifact(state_.model, stop_);
            result = {{"path", state_.model.string()},
                      {"bytes", artifact.bytes},
                      {"sha256", artifact.sha256}};
        }
        Json report = {{"version", kReportVersion},
                       {"recipe_hash", recipe_hash(request_.recipe)},
                       {"stages", std::move(records)},
                       {"result", std::move(result)}};
        folder_.write_report(report, report_markdown(report, folder_.path().filename().string()));
        return report;
    }

    const RunRequest& request_;
    RunFolder& folder_;
    RunRecorder& recorder_;
    std::stop_token stop_;
    RunState state_;
};

std::size_t num_finished(const RunFolder& folder, const Recipe& recipe) {
    std::size_t count = 0;
    while (count < recipe.stages.size() &&
           folder.finished_stage(count, recipe.stages[count].stage)) {
        ++count;
    }
    return count;
}

RunRecord new_record(const RunRequest& request, const RunFolder& folder) {
    RunRecord run;
    run.path = folder.path().string();
    run.name = folder.path().filename().string();
    run.model = request.recipe.model.string();
    run.state = "running";
    run.recipe = to_json(request.recipe).dump();
    return run;
}

}  // namespace

Json execute_recipe(const RunRequest& request, RunObserver& observer, std::stop_token stop) {
    validate(request.recipe);
    require_apart(request.out, {request.recipe.model});
    const PlanEstimate estimate = estimate_plan(
        request.recipe, *ModelSource::open(request.recipe.model), request.num_threads);
    RunFolder folder(request.out, request.recipe, request.resumes);
    require_disk_space(estimate, num_finished(folder, request.recipe), folder.path());
    RunLog run_log(folder.path() / "log.txt", observer);
    RunRecorder recorder(run_log, request.library, new_record(request, folder));
    try {
        Json report = Execution(request, folder, recorder, stop).run();
        recorder.finish_run("finished", report);
        run_log.flush();
        return report;
    } catch (const Cancelled&) {
        recorder.finish_run("stopped", nullptr);
        throw;
    } catch (const RoutingHeld& held) {
        log("pipeline").warn("The run waits: {}", held.what());
        recorder.finish_run("held", nullptr);
        run_log.flush();
        throw;
    } catch (const std::exception& error) {
        log("pipeline").error("The run failed: {}", error.what());
        recorder.finish_run("failed", nullptr);
        run_log.flush();
        throw;
    }
}

RunOutcome run_recipe(const RunRequest& request, RunObserver& observer, std::stop_token stop) {
    RunFinished end;
    const auto fail = [&](ErrorCode code, const std::string& message) {
        end = {RunOutcome::Failed, message, std::string(code_text(code)), Json::object()};
    };
    try {
        end.result = execute_recipe(request, observer, stop).at("result");
    } catch (const Cancelled&) {
        end.outcome = RunOutcome::Stopped;
    } catch (const RoutingHeld& held) {
        // What to do is said by whoever watches: it is more than one thing.
        end = {RunOutcome::Held, held.what(), std::string(code_text(held.code())), Json::object()};
    } catch (const Error& error) {
        fail(error.code(), error.hint().empty() ? error.what()
                                                : fmt::format("{} {}", error.what(), error.hint()));
    } catch (const std::bad_alloc&) {
        fail(ErrorCode::MemoryExceeded,
             "The memory did not suffice. Close other programs or choose smaller settings.");
    } catch (const std::exception& error) {
        fail(ErrorCode::RunStage, fmt::format("The run failed: {}.", error.what()));
    }
    observer.on_event(end);
    return end.outcome;
}

namespace {

/// Lets the runner be started again from within the handler of RunFinished.
class FinishWatch : public RunObserver {
public:
    FinishWatch(RunObserver& next, std::atomic<bool>& running) : next_(next), running_(running) {}
    void on_event(const RunEvent& event) override {
        if (std::holds_alternative<RunFinished>(event)) running_ = false;
        next_.on_event(event);
    }

private:
    RunObserver& next_;
    std::atomic<bool>& running_;
};

}  // namespace

Runner::Runner(RunObserver& observer) : observer_(observer) {}

void Runner::start(RunRequest request) {
    if (running_.exchange(true)) {
        throw Error(ErrorCode::UsageInvalid, "A run is going on already.",
                    "Wait for it or stop it first.");
    }
    thread_ = std::jthread([this, request = std::move(request)](std::stop_token stop) {
        FinishWatch watch(observer_, running_);
        run_recipe(request, watch, std::move(stop));
    });
}

void Runner::request_stop() { thread_.request_stop(); }

bool Runner::is_running() const noexcept { return running_; }

}  // namespace espalier
