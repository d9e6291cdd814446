#include "torch_services/project_experts.h"

#include <span>
#include <torch/types.h>

#include "nn/experts.h"
#include "nn/torch_tensors.h"

namespace espalier {
namespace {

std::vector<float> copy_of(const torch::Tensor& tensor) {
    const torch::Tensor flat = tensor.contiguous();
    const std::span<const float> all = values(flat);
    return {all.begin(), all.end()};
}

}  // namespace

ProjectedLayer project_experts(const MoeConfig& config, const LayerTensors& weights,
                               const torch::Tensor& rows, const OutputGradients& gradients) {
    const torch::Tensor logits = weights.router.linear(rows);
    const auto labels = static_cast<std::int64_t>(gradients.sampled.size());
    torch::Tensor cost = torch::empty(logits.sizes());
    torch::Tensor sampled = torch::empty({logits.size(0), logits.size(1), labels});
    // Of each token's output with a gradient, [tokens].
    const auto project = [&](const torch::Tensor& output, const torch::Tensor& gradient) {
        return (output * gradient).sum(1) * config.residual_multiplier;
    };
    for (std::int64_t expert = 0; expert < logits.size(1); ++expert) {
        const torch::Tensor output =
            run_expert(config.experts, weights.experts.at(static_cast<std::size_t>(expert)), rows);
        cost.select(1, expert).copy_(project(output, gradients.cost));
        for (std::int64_t i = 0; i < labels; ++i) {
            sampled.select(1, expert).select(1, i).copy_(
                project(output, gradients.sampled[static_cast<std::size_t>(i)]));
        }
    }
    ProjectedLayer projected{copy_of(logits), {}, copy_of(cost), copy_of(sampled)};
    const torch::Tensor& bias = weights.router.selection_bias;
    if (bias.defined()) projected.selection_bias = copy_of(bias);
    return projected;
}

}  // namespace espalier
