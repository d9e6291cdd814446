#include "pipeline/quantize_stage.h"

#include <algorithm>
#include <fmt/format.h>
#include <optional>

#include "base/error.h"
#include "base/log.h"
#include "base/thread_pool.h"
#include "model/model_source.h"
#include "pipeline/model_metrics.h"
#include "pipeline/stage_routing.h"
#include "pipeline/stats_for_model.h"
#include "quant/quant_plan.h"
#include "quant/write_gguf.h"
#include "routing/expert_stats.h"

namespace espalier {
namespace {

/// Of the stage's progress; the rest is the comparison with the original.
constexpr double kWriteShare = 0.8;

std::optional<ExpertStats> importance(const StageContext& context, const QuantizeConfig& config,
                                      const ModelSource& model) {
    const RunState& state = context.state;
    if (!config.uses_stats || state.stats.empty()) return std::nullopt;
    return load_stats_for_model(state.stats, model, true, state.stats_model);
}

/// What the model itself tells of this stage: all that decides its bytes.
Json lineage_config(const StageContext& context) {
    Json config = context.entry.config;
    config.erase("routing_tokens");
    config.erase("limits_file");
    return config;
}

}  // namespace

void validate(const QuantizeConfig& config) {
    if (config.routing_tokens < 0) {
        throw Error(ErrorCode::RunRecipe,
                    fmt::format("Stage quantize: \"routing_tokens\" is {}.", config.routing_tokens),
                    "Enter a number of tokens, or 0 to leave the comparison out.");
    }
    load_routing_limits(config.limits_file);
    const auto known = known_file_types();
    if (std::find(known.begin(), known.end(), config.type) != known.end()) return;
    throw Error(ErrorCode::RunRecipe,
                fmt::format("Stage quantize: there is no type \"{}\".", config.type),
                fmt::format("The types are: {}.", fmt::join(known, ", ")));
}

StageOutput run_quantize(const StageContext& context, const QuantizeConfig& config) {
    const auto model = ModelSource::open(context.state.model);
    const auto stats = importance(context, config, *model);
    const QuantPlan plan =
        plan_quantization(model->config(), config.type, {.has_importance = stats.has_value()});
    ThreadPool pool(context.num_threads);
    StageOutput output;
    output.model = context.folder / "model.gguf";
    const auto progress = [&](std::uint64_t done, std::uint64_t total, std::string_view tensor) {
        context.observer.on_event(StageProgress{
            context.index, kWriteShare * static_cast<double>(done) / static_cast<double>(total),
            std::string(tensor)});
    };
    const QuantReport report =
        write_gguf({.model = *model,
                    .plan = plan,
                    .importance = stats ? &*stats : nullptr,
                    .out = output.model,
                    .pool = pool,
                    .progress = progress,
                    .stop = context.stop,
                    .lineage = {{"stage", "quantize"}, {"config", lineage_config(context)}}});
    for (const std::string& line : report.fallbacks) log("quant").info("{}", line);
    output.metrics = metrics_of(report, model->config());
    measure_routing(context, output.model, {config.routing_tokens, config.limits_file, kWriteShare},
                    output);
    return output;
}

}  // namespace espalier
