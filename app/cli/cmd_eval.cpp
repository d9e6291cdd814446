#include <algorithm>
#include <fmt/format.h>
#include <string>
#include <vector>

#include "app/cli/commands.h"
#include "app/cli/find_model.h"
#include "app/cli/progress_line.h"
#include "base/error.h"
#include "eval/evaluate.h"
#include "eval/record_routing.h"
#include "pipeline/stage_routing.h"

namespace espalier::cli {
namespace {

struct EvalOptions {
    std::string model;
    std::string reference;
    std::string expert_plan;
    std::vector<std::string> texts;
    std::string limits;
    std::string save_routing;
    std::string base_routing;
    std::int64_t floor_tokens = 1024;
    PerplexityOptions perplexity;
};

/// A metric's mean and its worst layer, where it was measured.
void print_metric(const Json& routing, const char* name, const char* title, bool higher_is_better) {
    const Json& layers = routing.at("per_layer");
    if (layers.empty() || !layers.front().contains(name)) return;
    const auto worse = [&](const Json& a, const Json& b) {
        const double left = a.at(name).get<double>();
        const double right = b.at(name).get<double>();
        return higher_is_better ? left < right : left > right;
    };
    const Json& worst = *std::min_element(layers.begin(), layers.end(), worse);
    fmt::print("  {:<40}{:>10.5f}   worst {:.5f} in layer {}\n", title,
               routing.at("mean").at(name).get<double>(), worst.at(name).get<double>(),
               worst.at("layer").get<std::int64_t>());
}

void print_routing(const Json& routing) {
    if (!routing.at("verdict").is_string()) {
        fmt::print("routing  not compared: {}\n",
                   routing.value("note", "nothing says which experts are the same"));
        return;
    }
    fmt::print("routing  {}{}\n", routing.at("verdict").get<std::string>(),
               routing.at("restricted").get<bool>() ? ", against the experts that remain" : "");
    print_metric(routing, "recall", "same experts, end to end", true);
    print_metric(routing, "local_recall", "same experts, on the reference's input", true);
    print_metric(routing, "restricted_kl", "router KL, end to end", false);
    print_metric(routing, "local_kl", "router KL, on the reference's input", false);
    print_metric(routing, "displaced", "choices that no longer exist", false);
    print_metric(routing, "load_tv", "shift of the load", false);
    print_metric(routing, "output_cosine", "cosine of the layers' outputs", true);
    for (const Json& entry : routing.at("worst")) {
        fmt::print("  {:<5} {}{} {:.4f} in the worst layers, {:.4f} above the noise floor\n",
                   entry.at("verdict").get<std::string>(), entry.at("metric").get<std::string>(),
                   entry.contains("task") ? " of " + entry.at("task").get<std::string>() : "",
                   entry.at("value").get<double>(), entry.at("excess").get<double>());
    }
}

void print_result(const Json& result) {
    for (const auto& [file, value] : result.at("perplexity").items()) {
        fmt::print("perplexity  {:<28}{:>12.4f}\n", file, value.get<double>());
    }
    if (result.contains("kl")) {
        const Json& kl = result.at("kl");
        fmt::print("KL to the reference  mean {:.5f}  99.9 % {:.4f}  same top token {:.2f} %\n",
                   kl.at("mean").get<double>(), kl.at("p999").get<double>(),
                   100 * kl.at("top1").get<double>());
    }
    if (result.contains("routing")) print_routing(result.at("routing"));
    fmt::print("{} tokens scored\n", result.at("tokens").get<std::int64_t>());
}

struct Traced {
    const ModelSource& model;
    const std::vector<EvaluationText>& texts;
    const PerplexityOptions& options;
    ThreadPool& pool;
};

/// Writes what the routers decided, and compares it with what another model's did.
void add_traces(const EvalOptions& options, const Traced& traced, const Session& session,
                Json& result) {
    if (options.save_routing.empty() && options.base_routing.empty()) return;
    NativeModel model(traced.model, traced.pool);
    const RoutingTrace trace = record_routing(model, traced.texts, traced.options, session.stop);
    if (!options.save_routing.empty()) save_routing_trace(trace, options.save_routing);
    if (options.base_routing.empty()) return;
    result["routing"] = trace_report(load_routing_trace(options.base_routing), trace,
                                     load_routing_limits(options.limits));
}

std::optional<Json> eval(const EvalOptions& options, const Session& session) {
    if (options.texts.empty()) {
        throw Error(ErrorCode::UsageInvalid, "There is nothing to measure on.",
                    "Name texts with --perplexity FILE….");
    }
    const Measure measure;
    const auto model = open_model(options.model);
    const auto reference = options.reference.empty() ? nullptr : open_model(options.reference);
    const auto texts = read_texts(*model, options.texts);
    ThreadPool pool(session.num_threads);
    ProgressLine line;
    EvaluationInput input{
        .model = *model,
        .reference = reference.get(),
        .mask = mask_of(options.expert_plan, model->config()),
        .texts = texts,
        .options = options.perplexity,
        .pool = pool,
        .progress = [&](double fraction, const std::string& text) { line.show(fraction, text); },
        .floor_tokens = options.floor_tokens,
        .limits = load_routing_limits(options.limits),
        .memory_budget = session.memory_budget};
    if (input.options.bos_token < 0) {
        input.options.bos_token = bos_token(tokenizer_of(*model));
    }
    Json result = evaluate(input, session.stop);
    result["seconds"] = measure.seconds();
    result["peak_bytes"] = measure.result({}, nullptr).at("peak_bytes");
    add_traces(options, {*model, texts, input.options, pool}, session, result);
    line.clear();
    if (!session.json) print_result(result);
    return result;
}

}  // namespace

void add_eval(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<EvalOptions>();
    PerplexityOptions& perplexity = options->perplexity;
    auto* command =
        app.add_subcommand("eval", "Perplexity, and how far a model is from its reference");
    command->add_option("MODEL", options->model, "Hub folder, .gguf or library name")->required();
    command->add_option("--perplexity", options->texts, "Texts to score");
    command->add_option("--reference", options->reference,
                        "Model to compare with on the same text");
    command->add_option("--expert-plan", options->expert_plan,
                        "MODEL runs as if the plan's experts were gone");
    command
        ->add_option("--context", perplexity.context, "Tokens a window; the second half is scored")
        ->capture_default_str();
    command->add_option("--stride", perplexity.stride, "Slide by so many tokens instead");
    command->add_option("--first-scored", perplexity.first_scored,
                        "First position of a window that counts");
    command->add_option("--routing-limits", options->limits,
                        "JSON with limits for routing in place of the project's own");
    command
        ->add_option("--save-routing", options->save_routing,
                     "Writes what the routers decide on the texts to a .safetensors file")
        ->excludes("--expert-plan");
    command
        ->add_option("--base-routing", options->base_routing,
                     "Such a file of the original, to compare routing with in place of --reference")
        ->excludes("--reference")
        ->excludes("--expert-plan");
    command
        ->add_option("--floor-tokens", options->floor_tokens,
                     "Tokens on which the reference's own noise is measured; 0 = not")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    command->add_option("--max-windows", perplexity.max_windows, "Windows a text; 0 = all");
    does(*command, chosen, options, eval);
}

}  // namespace espalier::cli
