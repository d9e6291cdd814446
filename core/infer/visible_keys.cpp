#include "infer/visible_keys.h"

#include <algorithm>

#include "kernels/vector_ops.h"

namespace espalier {

void mask_and_softmax(std::span<float> scores, const ScoreRow& row) {
    const auto visible = scores.subspan(row.begin, row.end - row.begin);
    for (float& score : visible) score *= row.scale;
    kernels::softmax_with_sink(visible, row.sink);
    std::fill_n(scores.begin(), row.begin, 0.0F);
    std::fill(scores.begin() + static_cast<std::ptrdiff_t>(row.end), scores.end(), 0.0F);
}

}  // namespace espalier
