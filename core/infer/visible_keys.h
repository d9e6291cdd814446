#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace espalier {

struct KeyRange {
    std::size_t first = 0;
    std::size_t last = 0;
};

/// Keys that the query at `position` sees: itself and those before it, inside the window (0: all).
inline KeyRange visible_keys(std::size_t position, std::int64_t window) {
    const auto width = static_cast<std::size_t>(window);
    const std::size_t first = width == 0 || position < width ? 0 : position + 1 - width;
    return {first, position + 1};
}

inline constexpr float kNoSink = -std::numeric_limits<float>::infinity();

/// Scores [begin, end) of a row are of keys that its query sees.
struct ScoreRow {
    std::size_t begin = 0;
    std::size_t end = 0;
    float scale = 1.0F;
    float sink = kNoSink;  ///< one more logit, not scaled, whose probability is dropped
};

/// Scores of one query into probabilities; unseen keys get 0.
void mask_and_softmax(std::span<float> scores, const ScoreRow& row);

}  // namespace espalier
