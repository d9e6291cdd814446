#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "infer/native_model.h"
#include "infer/sampler.h"
#include "tokenizer/tokenizer.h"

namespace espalier {

struct GenerationOptions {
    SamplingOptions sampling = {};
    std::int64_t max_tokens = 256;
    std::vector<std::string> stop_texts = {};
    Arithmetic arithmetic = Arithmetic::Integer16;
};

enum class StopReason { EndToken, MaxTokens, StopText, Cancelled, ContextFull };

/// "end-token", "max-tokens", …
std::string_view stop_reason_text(StopReason reason);

struct GenerationResult {
    std::vector<std::int32_t> ids;  ///< generated, end token not included
    std::string text;               ///< without the stop text and what follows it
    StopReason stop = StopReason::MaxTokens;
    std::int64_t prompt_tokens = 0;
    std::int64_t reused_tokens = 0;  ///< of the prompt, already in the cache from the last call
    double prompt_tokens_per_second = 0;     ///< of those computed
    double generated_tokens_per_second = 0;  ///< of those after the first; 0 if there are none
};

/// Streams a continuation. A stop request ends it within 200 ms with StopReason::Cancelled and
/// keeps what is there. What the model knows of a text stays from call to call: a prompt that
/// begins as the last one did with its answer, as the turns of a chat do, goes on from there. Where
/// a model with recurrent layers has to go back, it does so to the end of one of the last prompts.
class Generator {
public:
    /// @param end_tokens ids that end an answer, see end_token_ids()
    Generator(NativeModel& model, const Tokenizer& tokenizer, std::vector<std::int32_t> end_tokens);

    /// @param on_text gets whole characters, on this thread; may be empty
    /// @throws Error UsageInvalid for options out of range, DataLine for a prompt that is empty,
    /// longer than the model's context or has ids outside the vocabulary
    GenerationResult generate(std::span<const std::int32_t> prompt,
                              const GenerationOptions& options,
                              const std::function<void(std::string_view piece)>& on_text,
                              std::stop_token stop);

private:
    std::span<const float> read_prompt(std::span<const std::int32_t> prompt,
                                       GenerationResult& result, const std::stop_token& stop);
    void reuse_cache(std::span<const std::int32_t> prompt, GenerationResult& result);
    std::span<const float> append(std::span<const std::int32_t> tokens,
                                  const std::stop_token& stop);

    NativeModel& model_;
    const Tokenizer& tokenizer_;
    std::vector<std::int32_t> end_tokens_;
    KvCache cache_;
    std::vector<std::int32_t> cached_ids_;  ///< what the cache holds
    std::uint64_t cached_revision_ = 0;     ///< of the model, when it was filled
};

/// Ids at which this model's answers end: those of its config, and the tokens `<|im_end|>` and
/// `<|endoftext|>` where the vocabulary has them as special.
std::vector<std::int32_t> end_token_ids(const ModelSource& source, const Tokenizer& tokenizer);

}  // namespace espalier
