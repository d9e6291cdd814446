#include "nn/rotary.h"

namespace espalier {

Rotary::Rotary(const RopeConfig& config, std::int64_t max_length)
    : rotated_dims_(config.rotated_dims) {
    const auto options = torch::TensorOptions(torch::kFloat64);
    const torch::Tensor exponent =
        torch::arange(0, rotated_dims_, 2, options) / static_cast<double>(rotated_dims_);
    const torch::Tensor frequency = torch::pow(config.theta, -exponent);
    const torch::Tensor position = torch::arange(0, max_length, options);
    const torch::Tensor angle = torch::outer(position, frequency).unsqueeze(1);
    cos_ = angle.cos().to(torch::kFloat32);
    sin_ = angle.sin().to(torch::kFloat32);
}

torch::Tensor Rotary::apply(const torch::Tensor& heads) const {
    const std::int64_t half = rotated_dims_ / 2;
    const std::int64_t rest = heads.size(2) - rotated_dims_;
    const torch::Tensor cos = cos_.narrow(0, 0, heads.size(0));
    const torch::Tensor sin = sin_.narrow(0, 0, heads.size(0));
    const torch::Tensor first = heads.narrow(2, 0, half);
    const torch::Tensor second = heads.narrow(2, half, half);
    std::vector<torch::Tensor> parts{first * cos - second * sin, second * cos + first * sin};
    if (rest > 0) parts.push_back(heads.narrow(2, rotated_dims_, rest));
    return torch::cat(parts, 2);
}

}  // namespace espalier
