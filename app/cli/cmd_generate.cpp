#include <cstdio>
#include <fmt/format.h>
#include <string>

#include "app/cli/commands.h"
#include "app/cli/conversation.h"
#include "app/cli/find_model.h"
#include "base/cancel.h"
#include "base/error.h"
#include "infer/generator.h"

namespace espalier::cli {
namespace {

struct GenerateOptions {
    std::string model;
    std::string prompt;
    std::string messages;
    std::string expert_plan;
    bool exact = false;
    GenerationOptions generation;
};

std::string rendered_chat(const std::string& model, const std::string& file) {
    const ConversationFile chat = read_conversations(file);
    if (chat.is_list) {
        throw Error(ErrorCode::DataLine,
                    fmt::format("{} holds several conversations, only one can be answered.", file),
                    "Leave one of them in the file.");
    }
    const auto request = conversation_from_json(chat.conversations.front(), NextTurn::Assistants);
    return Template::of(model).compiled().render(request);
}

std::vector<TokenId> prompt_ids(const GenerateOptions& options, const Tokenizer& tokenizer) {
    if (options.prompt.empty() == options.messages.empty()) {
        throw Error(ErrorCode::UsageInvalid, "Generation needs either --prompt or --messages.",
                    "Give a text with --prompt, or a JSON list of messages with --messages.");
    }
    if (!options.prompt.empty()) return tokenizer.encode(options.prompt);
    return tokenizer.encode(rendered_chat(options.model, options.messages),
                            false);  // the template writes BOS itself
}

std::optional<Json> generate(const GenerateOptions& options, const Session& session) {
    const auto source = open_model(options.model);
    const Tokenizer tokenizer = tokenizer_of(*source);
    const auto prompt = prompt_ids(options, tokenizer);
    ThreadPool pool(session.num_threads);
    NativeModel model(*source, pool);
    model.set_mask(mask_of(options.expert_plan, source->config()));
    Generator generator(model, tokenizer, end_token_ids(*source, tokenizer));
    GenerationOptions generation = options.generation;
    if (options.exact) generation.arithmetic = Arithmetic::Float32;
    const auto on_text = [&](std::string_view piece) {
        if (session.json) return;
        fmt::print("{}", piece);
        std::fflush(stdout);
    };
    const GenerationResult result = generator.generate(prompt, generation, on_text, session.stop);
    if (!session.json) {
        fmt::print("\n");
        fmt::print(stderr, "[{}; prompt {} tokens, {:.1f}/s; answer {} tokens, {:.1f}/s]\n",
                   stop_reason_text(result.stop), result.prompt_tokens,
                   result.prompt_tokens_per_second, result.ids.size(),
                   result.generated_tokens_per_second);
    }
    if (result.stop == StopReason::Cancelled) throw Cancelled();
    return Json{{"text", result.text},
                {"ids", result.ids},
                {"stop", stop_reason_text(result.stop)},
                {"prompt_tps", result.prompt_tokens_per_second},
                {"gen_tps", result.generated_tokens_per_second}};
}

}  // namespace

void add_generate(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<GenerateOptions>();
    SamplingOptions& sampling = options->generation.sampling;
    auto* command = app.add_subcommand("generate", "Text, token by token; greedy unless asked");
    command->add_option("MODEL", options->model, "Hub folder, .gguf or library name")->required();
    command->add_option("--prompt", options->prompt, "A text, taken as it stands");
    command->add_option(
        "--messages", options->messages,
        "JSON: messages, or an object with messages, tools, kwargs, …; through the chat template");
    command->add_option("--max-tokens", options->generation.max_tokens, "At most so many")
        ->capture_default_str();
    command->add_option("--temperature", sampling.temperature, "0 = always the likeliest token")
        ->capture_default_str();
    command->add_option("--top-k", sampling.top_k, "Among the k likeliest; 0 = off")
        ->capture_default_str();
    command->add_option("--top-p", sampling.top_p, "Among those that make up this mass")
        ->capture_default_str();
    command->add_option("--min-p", sampling.min_p, "At least this share of the likeliest")
        ->capture_default_str();
    command
        ->add_option("--repetition-penalty", sampling.repetition_penalty, "Above 1: avoids repeats")
        ->capture_default_str();
    command->add_option("--seed", sampling.seed, "Same seed, same text")->capture_default_str();
    command->add_option("--stop", options->generation.stop_texts,
                        "Ends at this text; may be repeated");
    command->add_option("--expert-plan", options->expert_plan,
                        "Runs as if the plan's experts were gone");
    command->add_flag("--exact", options->exact,
                      "Float32 arithmetic also for quantised weights: slower");
    does(*command, chosen, options, generate);
}

}  // namespace espalier::cli
