#include "pipeline/run_recorder.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <variant>

#include "base/error.h"
#include "base/log.h"

namespace espalier {
namespace {

std::int64_t unix_now() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

}  // namespace

template <typename Work>
void RunRecorder::record(Work&& work) {
    if (!library_) return;
    try {
        work(*library_);
    } catch (const Error& error) {
        log("pipeline").warn("This run is not shown in the library: {}", error.what());
        library_.reset();
    }
}

RunRecorder::RunRecorder(RunObserver& next, const std::filesystem::path& library, RunRecord run)
    : next_(next), run_(std::move(run)) {
    if (library.empty()) return;
    try {
        library_ = std::make_unique<Library>(library);
    } catch (const Error& error) {
        log("pipeline").warn("This run is not shown in the library: {}", error.what());
        return;
    }
    run_.started_unix = unix_now();
    record([&](Library& store) { store.put_run(run_); });
}

void RunRecorder::begin_stage(std::size_t index, std::size_t count, const std::string& stage) {
    index_ = index;
    stage_ = stage;
    fraction_ = 0;
    next_.on_event(StageStarted{index, count, stage});
}

void RunRecorder::finish_stage(std::size_t index, const std::string& stage, const Json& json) {
    const StageFinished event{index, stage, json.value("seconds", 0.0),
                              json.value("peak_bytes", std::uint64_t{0}),
                              json.value("metrics", Json::object()),
                              json.value("routing", Json::object())};
    record([&](Library& store) {
        store.put_stage(run_.path, {static_cast<std::int64_t>(index), stage, event.seconds,
                                    static_cast<std::int64_t>(event.peak_bytes), json.dump()});
        for (const auto& [name, value] : event.metrics.items()) {
            if (value.is_number()) store.put_metric(run_.path, stage, name, value.get<double>());
        }
    });
    next_.on_event(event);
}

void RunRecorder::finish_run(const std::string& state, const Json& report) {
    run_.state = state;
    run_.report = report.is_null() ? "" : report.dump();
    run_.ended_unix = unix_now();
    record([&](Library& store) { store.put_run(run_); });
}

void RunRecorder::on_event(const RunEvent& event) {
    if (const auto* progress = std::get_if<StageProgress>(&event)) {
        fraction_ = std::clamp(progress->fraction, fraction_, 1.0);
        next_.on_event(StageProgress{index_, fraction_, progress->now});
        return;
    }
    if (const auto* layer = std::get_if<LayerMeasured>(&event)) {
        record([&](Library& store) {
            store.put_routing(run_.path, layer->layer, layer->load, layer->saliency);
        });
    } else if (const auto* metric = std::get_if<MetricMeasured>(&event)) {
        record([&](Library& store) {
            store.put_metric(run_.path, stage_, metric->name, metric->value);
        });
    }
    next_.on_event(event);
}

}  // namespace espalier
