#include "pipeline/stage_routing.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <map>
#include <utility>
#include <vector>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/log.h"
#include "base/thread_pool.h"
#include "eval/evaluate.h"
#include "model/model_source.h"
#include "pipeline/probe_windows.h"
#include "routing/routing_report.h"

namespace espalier {
namespace {

constexpr std::int64_t kWindow = 512;

/// Texts that nothing was calibrated on, and how to cut them.
struct Probe {
    std::vector<EvaluationText> texts;
    PerplexityOptions options;
};

std::vector<std::string> evaluation_files(const Recipe& recipe) {
    for (const StageEntry& entry : recipe.stages) {
        if (entry.stage != "evaluate") continue;
        return entry.config.value("files", std::vector<std::string>());
    }
    return {};
}

/// One text a task.
std::vector<EvaluationText> texts_of(const TokenWindows& windows) {
    std::vector<EvaluationText> texts;
    for (const std::string& task : windows.tasks) texts.push_back({task, {}, -1});
    for (std::size_t w = 0; w < windows.windows.size(); ++w) {
        auto& ids = texts[static_cast<std::size_t>(windows.task_of_window[w])].ids;
        ids.insert(ids.end(), windows.windows[w].begin(), windows.windows[w].end());
    }
    return texts;
}

/// As many tokens of each task, in windows that the shortest text fills.
Probe cut_probe(std::vector<EvaluationText> texts, std::int64_t tokens) {
    Probe probe{.texts = std::move(texts), .options = {}};
    std::erase_if(probe.texts, [](const EvaluationText& text) { return text.ids.size() < 2; });
    if (probe.texts.empty()) return probe;
    const std::int64_t share =
        std::max<std::int64_t>(2, tokens / static_cast<std::int64_t>(probe.texts.size()));
    std::int64_t window = std::min(kWindow, share);
    for (const EvaluationText& text : probe.texts) {
        window = std::min(window, static_cast<std::int64_t>(text.ids.size()));
    }
    probe.options.context = window;
    probe.options.first_scored = 0;
    probe.options.max_windows = std::max<std::int64_t>(1, share / window);
    return probe;
}

Probe read_probe(const ModelSource& original, const Recipe& recipe, std::int64_t tokens) {
    const auto files = evaluation_files(recipe);
    if (!files.empty()) return cut_probe(read_texts(original, files), tokens);
    return cut_probe(texts_of(read_probe_windows(
                         original, {.data = recipe.data, .file = {}, .max_tokens = tokens})),
                     tokens);
}

constexpr std::array kFigures{"recall", "restricted_kl", "displaced", "local_kl", "output_cosine"};

Json unmeasured(const std::string& why) {
    log("routing").warn("Routing is not compared with the original: {}", why);
    return {{"verdict", nullptr}, {"note", why}};
}

}  // namespace

Json load_routing_limits(const std::string& file) {
    if (file.empty()) return Json::object();
    Json limits = read_json_file(file);
    validate_routing_limits(limits);
    return limits;
}

void measure_routing(const StageContext& context, const std::filesystem::path& model,
                     const StageRoutingOptions& options, StageOutput& output) {
    if (options.tokens == 0) return;
    const Recipe& recipe = context.recipe;
    if (recipe.data.empty() && evaluation_files(recipe).empty()) {
        output.routing = unmeasured("the recipe names no text.");
        return;
    }
    const auto original = ModelSource::open(context.state.original);
    const auto current = ModelSource::open(model);
    Probe probe;
    try {
        probe = read_probe(*original, recipe, options.tokens);
    } catch (const Error& error) {
        // The stage itself has done its work, which a lack of text must not undo.
        if (error.code() != ErrorCode::DataEmpty) throw;
        output.routing = unmeasured(error.what());
        return;
    }
    if (probe.texts.empty()) {
        output.routing = unmeasured("the texts are empty.");
        return;
    }
    ThreadPool pool(context.num_threads);
    const double rest = 1.0 - options.progress_begin;
    const Json result =
        evaluate({.model = *current,
                  .reference = original.get(),
                  .texts = probe.texts,
                  .options = probe.options,
                  .pool = pool,
                  .progress =
                      [&](double fraction, const std::string&) {
                          context.observer.on_event(
                              StageProgress{context.index, options.progress_begin + rest * fraction,
                                            "comparing the routing with the original's"});
                      },
                  .limits = load_routing_limits(options.limits_file),
                  .memory_budget = context.memory_budget},
                 context.stop);
    adopt_routing(result.at("routing"), output);
    for (const auto& [name, value] : output.metrics.items()) {
        if (!name.starts_with("routing.")) continue;
        context.observer.on_event(MetricMeasured{name, value.get<double>()});
    }
}

Json evaluate_masked(const MaskedModel& masked, std::stop_token stop) {
    const Probe probe = cut_probe(texts_of(masked.probe), masked.tokens);
    return evaluate({.model = masked.model,
                     .reference = &masked.original,
                     .mask = masked.mask,
                     .texts = probe.texts,
                     .options = probe.options,
                     .pool = masked.pool,
                     .memory_budget = masked.memory_budget},
                    std::move(stop));
}

Json routing_figures(const Json& routing) {
    const Json mean = routing.value("mean", Json::object());
    Json figures = {{"verdict", routing.value("verdict", Json())}};
    for (const char* name : kFigures) {
        if (mean.contains(name)) figures[name] = mean.at(name);
    }
    return figures;
}

void adopt_routing(Json routing, StageOutput& output) {
    const Json mean = routing.value("mean", Json::object());
    for (const char* name : kFigures) {
        if (mean.contains(name)) output.metrics[fmt::format("routing.{}", name)] = mean.at(name);
    }
    output.routing = std::move(routing);
}

Json unchanged_routing() {
    return {{"verdict", nullptr}, {"note", "this stage leaves the model as it is"}};
}

Json brief_routing(Json routing) {
    const auto layers = routing.find("per_layer");
    if (layers == routing.end()) return routing;
    for (Json& layer : *layers) {
        layer.erase("base_load");
        layer.erase("load");
    }
    return routing;
}

}  // namespace espalier
