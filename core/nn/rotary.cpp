#include "nn/rotary.h"

#include "model/rope_frequencies.h"

namespace espalier {

Rotary::Rotary(const RopeConfig& config, std::int64_t max_length)
    : style_(config.style), rotated_dims_(config.rotated_dims) {
    const auto options = torch::TensorOptions(torch::kFloat64);
    const torch::Tensor frequency = torch::tensor(rope_frequencies(config), options);
    const torch::Tensor position = torch::arange(0, max_length, options);
    const torch::Tensor angle = torch::outer(position, frequency).unsqueeze(1);
    cos_ = (angle.cos() * config.attention_factor).to(torch::kFloat32);
    sin_ = (angle.sin() * config.attention_factor).to(torch::kFloat32);
}

torch::Tensor Rotary::apply(const torch::Tensor& heads) const {
    const torch::Tensor cos = cos_.narrow(0, 0, heads.size(0));
    const torch::Tensor sin = sin_.narrow(0, 0, heads.size(0));
    const torch::Tensor turning = heads.narrow(2, 0, rotated_dims_);
    const std::int64_t pairs = rotated_dims_ / 2;
    const bool is_half = style_ == RopeStyle::Half;
    const torch::Tensor first =
        is_half ? turning.narrow(2, 0, pairs) : turning.slice(2, 0, rotated_dims_, 2);
    const torch::Tensor second =
        is_half ? turning.narrow(2, pairs, pairs) : turning.slice(2, 1, rotated_dims_, 2);
    const torch::Tensor turned =
        torch::stack({first * cos - second * sin, second * cos + first * sin}, is_half ? 2 : 3)
            .flatten(2);
    const std::int64_t rest = heads.size(2) - rotated_dims_;
    return rest == 0 ? turned : torch::cat({turned, heads.narrow(2, rotated_dims_, rest)}, 2);
}

}  // namespace espalier
