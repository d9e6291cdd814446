#include "infer/generator.h"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <utility>

#include "base/cancel.h"
#include "base/error.h"
#include "infer/arithmetic_guard.h"
#include "infer/stop_text_filter.h"

namespace espalier {
namespace {

using Clock = std::chrono::steady_clock;

double per_second(std::int64_t count, Clock::time_point since) {
    const double seconds = std::chrono::duration<double>(Clock::now() - since).count();
    return count > 0 && seconds > 0 ? static_cast<double>(count) / seconds : 0.0;
}

/// Ids in, certain text out: to the caller and into the result.
class TextStream {
public:
    TextStream(const Tokenizer& tokenizer, const GenerationOptions& options,
               const std::function<void(std::string_view)>& on_text, std::string& text)
        : decoder_(tokenizer), filter_(options.stop_texts), on_text_(on_text), text_(text) {}

    /// False once a stop text was found.
    bool push(std::int32_t id) {
        emit(filter_.push(decoder_.push(id)));
        return !filter_.found();
    }
    /// As push(), for what is left of the stream.
    bool finish() {
        emit(filter_.push(decoder_.finish()));
        emit(filter_.finish());
        return !filter_.found();
    }

private:
    void emit(const std::string& piece) {
        if (piece.empty()) return;
        text_ += piece;
        if (on_text_) on_text_(piece);
    }

    StreamingDecoder decoder_;
    StopTextFilter filter_;
    const std::function<void(std::string_view)>& on_text_;
    std::string& text_;
};

}  // namespace

std::string_view stop_reason_text(StopReason reason) {
    switch (reason) {
        case StopReason::EndToken:
            return "end-token";
        case StopReason::MaxTokens:
            return "max-tokens";
        case StopReason::StopText:
            return "stop-text";
        case StopReason::Cancelled:
            return "cancelled";
        case StopReason::ContextFull:
            return "context-full";
    }
    return "";
}

Generator::Generator(NativeModel& model, const Tokenizer& tokenizer,
                     std::vector<std::int32_t> end_tokens)
    : model_(model),
      tokenizer_(tokenizer),
      end_tokens_(std::move(end_tokens)),
      cache_(model.config(), model.config().context_length) {}

void Generator::reuse_cache(std::span<const std::int32_t> prompt, GenerationResult& result) {
    if (cached_revision_ != model_.revision()) cached_ids_.clear();
    cached_revision_ = model_.revision();
    // The last token of the prompt is computed in any case: its logits are needed.
    const std::size_t most = std::min(cached_ids_.size(), prompt.size() - 1);
    const auto [end, ignored] =
        std::mismatch(cached_ids_.begin(), cached_ids_.begin() + static_cast<std::ptrdiff_t>(most),
                      prompt.begin());
    const std::int64_t left = cache_.truncate(end - cached_ids_.begin());
    cached_ids_.resize(static_cast<std::size_t>(left));
    result.reused_tokens = static_cast<std::int64_t>(cached_ids_.size());
}

std::span<const float> Generator::append(std::span<const std::int32_t> tokens,
                                         const std::stop_token& stop) {
    try {
        const auto logits = model_.forward(tokens, cache_, LogitsFor::LastToken, nullptr, stop);
        cached_ids_.insert(cached_ids_.end(), tokens.begin(), tokens.end());
        return logits;
    } catch (...) {
        cached_ids_.resize(static_cast<std::size_t>(cache_.num_tokens()));
        throw;
    }
}

std::span<const float> Generator::read_prompt(std::span<const std::int32_t> prompt,
                                              GenerationResult& result,
                                              const std::stop_token& stop) {
    reuse_cache(prompt, result);
    auto fresh = prompt.subspan(cached_ids_.size());
    const auto num_fresh = static_cast<std::int64_t>(fresh.size());
    const auto start = Clock::now();
    if (cache_.has_recurrent_layers()) {
        // Another answer to this prompt, or a change to this one, starts before the last token.
        if (fresh.size() > 1) append(fresh.first(fresh.size() - 1), stop);
        cache_.mark();
        fresh = fresh.last(1);
    }
    const auto logits = append(fresh, stop);
    result.prompt_tokens_per_second = per_second(num_fresh, start);
    return logits;
}

namespace {

void check_request(std::span<const std::int32_t> prompt, const GenerationOptions& options,
                   const MoeConfig& config) {
    validate(options.sampling);
    if (options.max_tokens < 0) {
        throw Error(ErrorCode::UsageInvalid,
                    fmt::format("max_tokens must be 0 or more, not {}.", options.max_tokens),
                    "Change the length of the answer.");
    }
    if (prompt.empty()) {
        throw Error(ErrorCode::DataLine, "The prompt has no tokens.", "Write at least one word.");
    }
    const auto length = static_cast<std::int64_t>(prompt.size());
    if (config.context_length > 0 && length > config.context_length) {
        throw Error(ErrorCode::DataLine,
                    fmt::format("The prompt has {} tokens, the model's context holds {}.", length,
                                config.context_length),
                    "Shorten the prompt.");
    }
}

}  // namespace

GenerationResult Generator::generate(std::span<const std::int32_t> prompt,
                                     const GenerationOptions& options,
                                     const std::function<void(std::string_view piece)>& on_text,
                                     std::stop_token stop) {
    check_request(prompt, options, model_.config());
    const ArithmeticGuard guard(model_, options.arithmetic);
    GenerationResult result;
    result.prompt_tokens = static_cast<std::int64_t>(prompt.size());
    Sampler sampler(options.sampling);
    TextStream text(tokenizer_, options, on_text, result.text);
    std::vector<std::int32_t> history(prompt.begin(), prompt.end());
    std::int64_t steps = 0;
    Clock::time_point start;
    try {
        auto logits = read_prompt(prompt, result, stop);
        start = Clock::now();
        while (static_cast<std::int64_t>(result.ids.size()) < options.max_tokens) {
            throw_if_stopped(stop);
            const std::int32_t id = sampler.sample(logits, history);
            if (std::find(end_tokens_.begin(), end_tokens_.end(), id) != end_tokens_.end()) {
                result.stop = StopReason::EndToken;
                break;
            }
            result.ids.push_back(id);
            history.push_back(id);
            if (!text.push(id)) {
                result.stop = StopReason::StopText;
                break;
            }
            if (static_cast<std::int64_t>(result.ids.size()) == options.max_tokens) break;
            if (cache_.max_tokens() > 0 && cache_.num_tokens() == cache_.max_tokens()) {
                result.stop = StopReason::ContextFull;
                break;
            }
            logits = append({&id, 1}, stop);
            ++steps;
        }
    } catch (const Cancelled&) {
        result.stop = StopReason::Cancelled;
    }
    if (steps > 0) result.generated_tokens_per_second = per_second(steps, start);
    if (!text.finish() && result.stop != StopReason::Cancelled) result.stop = StopReason::StopText;
    return result;
}

std::vector<std::int32_t> end_token_ids(const ModelSource& source, const Tokenizer& tokenizer) {
    std::vector<std::int32_t> ids;
    for (const std::int64_t id : source.config().eos_token_ids) {
        ids.push_back(static_cast<std::int32_t>(id));
    }
    for (const auto* token : {"<|im_end|>", "<|endoftext|>"}) {
        const auto id = tokenizer.id_of(token);
        if (id && tokenizer.is_special(*id)) ids.push_back(*id);
    }
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    return ids;
}

}  // namespace espalier
