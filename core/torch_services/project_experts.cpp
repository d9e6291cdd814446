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
    // Gradients of the cost and of the labels side by side, [tokens, hidden, 1 + labels].
    std::vector<torch::Tensor> columns = {gradients.cost};
    columns.insert(columns.end(), gradients.sampled.begin(), gradients.sampled.end());
    const torch::Tensor sides = torch::stack(columns, 2) * config.residual_multiplier;
    for (std::int64_t expert = 0; expert < logits.size(1); ++expert) {
        const torch::Tensor output = run_expert(config.experts, weights.experts.at(expert), rows);
        const torch::Tensor products = torch::bmm(output.unsqueeze(1), sides).squeeze(1);
        cost.select(1, expert).copy_(products.select(1, 0));
        sampled.select(1, expert).copy_(products.narrow(1, 1, labels));
    }
    ProjectedLayer projected{copy_of(logits), {}, copy_of(cost), copy_of(sampled)};
    const torch::Tensor& bias = weights.router.selection_bias;
    if (bias.defined()) projected.selection_bias = copy_of(bias);
    return projected;
}

}  // namespace espalier
