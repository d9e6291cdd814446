#include "pipeline/remeasure.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <utility>

#include "calib/calibrate.h"
#include "model/model_source.h"

namespace espalier {
namespace {

std::string probe_of(const Json& settings, const std::string& file) {
    const std::string kind = settings.value("probe", "held_out");
    if (kind == "none") return "none";
    return kind == "file" ? file : "";
}

}  // namespace

CalibrateRequest calibration_as_before(const RemeasureRequest& from) {
    const Json& settings = from.stats.settings;
    const auto names = settings.value("stats", std::vector<std::string>{});
    CalibrateRequest request;
    request.data = from.data;
    request.max_tokens = settings.value("max_tokens", std::int64_t{0});
    request.context = settings.value("context", request.context);
    request.hidden_dtype = settings.value("hidden_dtype", request.hidden_dtype);
    // Of statistics that say nothing of it, float32 was the only way.
    request.compute_dtype = settings.value("compute_dtype", "F32");
    request.probe = probe_of(settings, from.probe_file);
    request.stats = fmt::format("basic{}{}", names.empty() ? "" : ",", fmt::join(names, ","));
    request.num_threads = from.num_threads;
    request.memory_budget = from.memory_budget;
    return request;
}

std::function<ExpertStats(const std::filesystem::path& model, const ExpertPlan& plan,
                          const std::filesystem::path& file)>
remeasure_as_before(RemeasureRequest request, std::stop_token stop) {
    return [request = calibration_as_before(request), stop = std::move(stop)](
               const std::filesystem::path& model, const ExpertPlan& plan,
               const std::filesystem::path& file) {
        CalibrateRequest again = request;
        again.model = model;
        again.out = file;
        again.mask = plan.mask(ModelSource::open(model)->config());
        calibrate(again, {}, stop);  // inside another stage it has no progress of its own
        return load_expert_stats(file, true);
    };
}

}  // namespace espalier
