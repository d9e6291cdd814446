#include "pipeline/calibrate_stage.h"

#include <fmt/format.h>
#include <utility>

#include "base/error.h"
#include "calib/calibrate.h"
#include "pipeline/calibrate_sinks.h"
#include "pipeline/run_calibration.h"

namespace espalier {
namespace {

CalibrateRequest settings_of(const CalibrateConfig& config) {
    CalibrateRequest request;
    request.max_tokens = config.tokens;
    request.context = config.context;
    request.probe = config.probe_file;
    if (request.probe.empty() && !config.holds_out_probe) request.probe = "none";
    request.hidden_dtype = config.hidden_dtype;
    request.compute_dtype = config.compute_dtype;
    request.stats = config.stats;
    request.criterion = config.criterion;
    return request;
}

OwnTextOptions own_text_of(const CalibrateConfig& config, std::uint64_t seed) {
    OwnTextOptions options;
    options.share = config.own_text_share;
    options.seconds = config.own_text_seconds;
    options.seed = seed;
    return options;
}

}  // namespace

void validate(const CalibrateConfig& config) {
    if (!(config.stable_share >= 0 && config.stable_share < 1)) {
        throw Error(ErrorCode::RunRecipe,
                    fmt::format("Stage calibrate: \"stable_share\" is {}.", config.stable_share),
                    "Enter the share of experts that is to stay, below 1, or 0 to read all.");
    }
    CalibrateRequest request = settings_of(config);
    request.data.emplace_back();  // comes from the recipe
    try {
        validate(own_text_of(config, 0));
        validate(request);
    } catch (const Error& error) {
        throw Error(ErrorCode::RunRecipe, error.what(), error.hint());
    }
}

StageOutput run_calibrate(const StageContext& context, const CalibrateConfig& config) {
    CalibrateRequest request = settings_of(config);
    request.model = context.state.model;
    request.data = context.recipe.data;
    request.out = context.folder / "stats.safetensors";
    request.checkpoints = context.folder / "checkpoint";
    request.num_threads = context.num_threads;
    request.memory_budget = context.memory_budget;
    const CalibrateSinks sinks =
        report_calibration(context.observer, request.criterion, context.index);
    const CalibrateResult result =
        run_calibration({.request = std::move(request),
                         .stable_share = config.stable_share,
                         .own_text = own_text_of(config, context.recipe.seed)},
                        sinks, context.stop);
    StageOutput output;
    output.stats = result.out;
    output.metrics = result.metrics;
    return output;
}

}  // namespace espalier
