#pragma once

#include <chrono>
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
    SamplingOptions sampling;
    std::int64_t max_tokens = 256;
    std::vector<std::string> stop_texts;
};

enum class StopReason { EndToken, MaxTokens, StopText, Cancelled, ContextFull };

std::string_view stop_reason_text(StopReason reason);

struct GenerationResult {
    std::vector<std::int32_t> ids;  ///< generated, end token not included
    std::string text;
    StopReason stop = StopReason::MaxTokens;
    std::int64_t prompt_tokens = 0;
    double prompt_tokens_per_second = 0;
    double generated_tokens_per_second = 0;
};

/// Streams a continuation. A stop request ends it at the next token with StopReason::Cancelled and keeps
/// what is there.
class Generator {
public:
    /// @param end_tokens ids that end an answer: the config's, and ChatML's <|im_end|> if there is one
    Generator(NativeModel& model, const Tokenizer& tokenizer, std::vector<std::int32_t> end_tokens);

    GenerationResult generate(std::span<const std::int32_t> prompt, const GenerationOptions& options,
                              const std::function<void(std::string_view piece)>& on_text,
                              std::stop_token stop);

private:
    NativeModel& model_;
    const Tokenizer& tokenizer_;
    std::vector<std::int32_t> end_tokens_;
};

/// Ids at which this model's answers end, from its config, generation_config and tokenizer.
std::vector<std::int32_t> end_token_ids(const ModelSource& source, const Tokenizer& tokenizer);

}  // namespace espalier
