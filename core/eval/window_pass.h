#pragma once

#include <cstdint>
#include <span>
#include <stop_token>
#include <vector>

#include "eval/windows.h"
#include "infer/native_model.h"

namespace espalier {

/// @throws Error DataLine for an id that the vocabulary does not have
void require_known_ids(std::span<const std::int32_t> ids, std::int64_t vocab_size);

/// Tokens of one window, its first replaced by BOS if there is one.
std::vector<std::int32_t> window_tokens(std::span<const std::int32_t> ids,
                                        const ScoredWindow& window, std::int64_t bos_token);

/// Positions whose logits are computed together: what fits into a bounded buffer.
std::int64_t scored_block(std::int64_t vocab_size) noexcept;

/// Runs windows through a model: what is not scored without its logits, then the scored positions
/// in blocks. Cutting changes no bit of the result.
class WindowPass {
public:
    explicit WindowPass(NativeModel& model);

    /// Starts a window with an empty cache and computes its first `num_unscored` tokens.
    void start(std::span<const std::int32_t> tokens, std::int64_t num_unscored,
               std::stop_token stop);
    /// Logits [count, vocab] of the next `count` tokens, valid until the next call on the same
    /// model.
    std::span<const float> next(std::int64_t count, ForwardObserver* observer,
                                std::stop_token stop);

private:
    NativeModel& model_;
    KvCache cache_;
    std::span<const std::int32_t> rest_;
};

}  // namespace espalier
