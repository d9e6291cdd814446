#include "eval/window_pass.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/error.h"

namespace espalier {
namespace {

constexpr std::int64_t kMaxLogitBytes = std::int64_t{64} << 20;
constexpr std::int64_t kMaxBlock = 256;

}  // namespace

void require_known_ids(std::span<const std::int32_t> ids, std::int64_t vocab_size) {
    const auto unknown = std::find_if(ids.begin(), ids.end(),
                                      [=](std::int32_t id) { return id < 0 || id >= vocab_size; });
    if (unknown == ids.end()) return;
    throw Error(
        ErrorCode::DataLine,
        fmt::format("The text has token {}, the model knows ids below {}.", *unknown, vocab_size),
        "Use the tokenizer of this model.");
}

std::vector<std::int32_t> window_tokens(std::span<const std::int32_t> ids,
                                        const ScoredWindow& window, std::int64_t bos_token) {
    const auto part = ids.subspan(static_cast<std::size_t>(window.begin),
                                  static_cast<std::size_t>(window.length));
    std::vector<std::int32_t> tokens(part.begin(), part.end());
    if (bos_token >= 0) tokens.front() = static_cast<std::int32_t>(bos_token);
    return tokens;
}

std::int64_t scored_block(std::int64_t vocab_size) noexcept {
    const auto row_bytes = vocab_size * static_cast<std::int64_t>(sizeof(float));
    return std::clamp<std::int64_t>(kMaxLogitBytes / std::max<std::int64_t>(row_bytes, 1), 1,
                                    kMaxBlock);
}

WindowPass::WindowPass(NativeModel& model) : model_(model), cache_(model.config()) {}

void WindowPass::start(std::span<const std::int32_t> tokens, std::int64_t num_unscored,
                       std::stop_token stop) {
    cache_.truncate(0);
    rest_ = tokens;
    if (num_unscored == 0) return;
    const auto count = static_cast<std::size_t>(num_unscored);
    model_.forward(rest_.first(count), cache_, LogitsFor::LastToken, nullptr, std::move(stop));
    rest_ = rest_.subspan(count);
}

std::span<const float> WindowPass::next(std::int64_t count, ForwardObserver* observer,
                                        std::stop_token stop) {
    const auto tokens = rest_.first(static_cast<std::size_t>(count));
    rest_ = rest_.subspan(tokens.size());
    return model_.forward(tokens, cache_, LogitsFor::AllTokens, observer, std::move(stop));
}

}  // namespace espalier
