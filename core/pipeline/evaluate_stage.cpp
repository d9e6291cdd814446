#include "pipeline/evaluate_stage.h"

#include <filesystem>
#include <fmt/format.h>
#include <memory>

#include "base/error.h"
#include "base/thread_pool.h"
#include "eval/evaluate.h"
#include "model/model_source.h"
#include "pipeline/stage_routing.h"

namespace espalier {
namespace {

void refuse(const char* field, const std::string& problem, const char* hint) {
    throw Error(ErrorCode::RunRecipe, fmt::format("Stage evaluate: \"{}\" {}.", field, problem),
                hint);
}

void add_by_file(Json& metrics, const std::string& name, const Json& by_file) {
    for (const auto& [file, value] : by_file.items()) {
        metrics[name + "." + std::filesystem::path(file).stem().string()] = value;
    }
}

/// Flat names for charts and tables: "perplexity.python", "kl.python", "kl".
Json flat_metrics(const Json& result) {
    Json metrics = Json::object();
    add_by_file(metrics, "perplexity", result.at("perplexity"));
    if (result.contains("reference_perplexity")) {
        add_by_file(metrics, "reference_perplexity", result.at("reference_perplexity"));
    }
    if (result.contains("kl")) {
        const Json& kl = result.at("kl");
        for (const auto& [file, values] : kl.at("files").items()) {
            add_by_file(metrics, "kl", {{file, values.at("mean")}});
            add_by_file(metrics, "top1", {{file, values.at("top1")}});
        }
        metrics["kl"] = kl.at("mean");
        metrics["kl_p999"] = kl.at("p999");
        metrics["top1"] = kl.at("top1");
    }
    metrics["tokens"] = result.at("tokens");
    return metrics;
}

}  // namespace

void validate(const EvaluateConfig& config) {
    load_routing_limits(config.limits_file);
    if (config.files.empty()) refuse("files", "lists no text", "List at least one file.");
    if (config.context < 2) {
        refuse("context", fmt::format("is {}", config.context), "Enter at least 2 tokens.");
    }
    if (config.max_windows < 0) {
        refuse("max_windows", fmt::format("is {}", config.max_windows),
               "Enter a number of windows, or 0 for all.");
    }
}

StageOutput run_evaluate(const StageContext& context, const EvaluateConfig& config) {
    const auto model = ModelSource::open(context.state.model);
    std::unique_ptr<ModelSource> original;
    if (context.state.model != context.state.original) {
        original = ModelSource::open(context.state.original);
    }
    const auto texts = read_texts(original ? *original : *model, config.files);
    ThreadPool pool(context.num_threads);
    const auto progress = [&](double fraction, const std::string& text) {
        context.observer.on_event(StageProgress{context.index, fraction,
                                                std::filesystem::path(text).filename().string()});
    };
    const PerplexityOptions options{.context = config.context, .max_windows = config.max_windows};
    const Json result = evaluate({.model = *model,
                                  .reference = original.get(),
                                  .texts = texts,
                                  .options = options,
                                  .pool = pool,
                                  .progress = progress,
                                  .limits = load_routing_limits(config.limits_file),
                                  .memory_budget = context.memory_budget},
                                 context.stop);
    StageOutput output;
    output.metrics = flat_metrics(result);
    if (result.contains("routing")) adopt_routing(result.at("routing"), output);
    for (const auto& [name, value] : output.metrics.items()) {
        context.observer.on_event(MetricMeasured{name, value.get<double>()});
    }
    return output;
}

}  // namespace espalier
