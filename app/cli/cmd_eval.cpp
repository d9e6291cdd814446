#include <fmt/format.h>
#include <string>
#include <vector>

#include "app/cli/commands.h"
#include "app/cli/find_model.h"
#include "app/cli/progress_line.h"
#include "base/error.h"
#include "eval/evaluate.h"

namespace espalier::cli {
namespace {

struct EvalOptions {
    std::string model;
    std::string reference;
    std::string expert_plan;
    std::vector<std::string> texts;
    PerplexityOptions perplexity;
};

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
    if (result.contains("routing") && result.at("routing").contains("verdict")) {
        fmt::print("routing  {}\n", result.at("routing").at("verdict").dump());
    }
    fmt::print("{} tokens scored\n", result.at("tokens").get<std::int64_t>());
}

std::optional<Json> eval(const EvalOptions& options, const Session& session) {
    if (options.texts.empty()) {
        throw Error(ErrorCode::UsageInvalid, "There is nothing to measure on.",
                    "Name texts with --perplexity FILE….");
    }
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
        .progress = [&](double fraction, const std::string& text) { line.show(fraction, text); }};
    if (input.options.bos_token < 0) {
        input.options.bos_token = bos_token(tokenizer_of(*model));
    }
    const Json result = evaluate(input, session.stop);
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
    command->add_option("--max-windows", perplexity.max_windows, "Windows a text; 0 = all");
    does(*command, chosen, options, eval);
}

}  // namespace espalier::cli
