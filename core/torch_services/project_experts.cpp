#include "torch_services/project_experts.h"

#include <torch/types.h>

#include "nn/activation.h"
#include "nn/torch_tensors.h"

namespace espalier {
namespace {

torch::Tensor run_expert(const ExpertConfig& config, const GatedMlp& mlp,
                         const torch::Tensor& rows) {
    if (mlp.constant.defined()) return mlp.constant.expand({rows.size(0), -1});
    return mlp.down(activate(config, mlp.gate(rows), mlp.up(rows)));
}

std::vector<float> values_of(const torch::Tensor& tensor) {
    const torch::Tensor flat = tensor.to(torch::kFloat32).contiguous();
    const float* data = flat.data_ptr<float>();
    return {data, data + flat.numel()};
}

}  // namespace

ProjectedLayer project_experts(const MoeConfig& config, const LayerTensors& weights,
                               const torch::Tensor& rows, const OutputGradients& gradients) {
    const torch::Tensor logits = weights.router.linear(rows);
    const auto labels = static_cast<std::int64_t>(gradients.sampled.size());
    torch::Tensor cost = torch::empty(logits.sizes());
    torch::Tensor sampled = torch::empty({logits.size(0), logits.size(1), labels});
    // Each token's gradients, the cost's and its labels', side by side: [tokens, hidden, 1 +
    // labels].
    std::vector<torch::Tensor> columns = {gradients.cost};
    columns.insert(columns.end(), gradients.sampled.begin(), gradients.sampled.end());
    const torch::Tensor sides = torch::stack(columns, 2) * config.residual_multiplier;
    for (std::int64_t expert = 0; expert < logits.size(1); ++expert) {
        const torch::Tensor output = run_expert(config.experts, weights.experts.at(expert), rows);
        const torch::Tensor products = torch::bmm(output.unsqueeze(1), sides).squeeze(1);
        cost.select(1, expert).copy_(products.select(1, 0));
        sampled.select(1, expert).copy_(products.narrow(1, 1, labels));
    }
    ProjectedLayer projected{values_of(logits), {}, values_of(cost), values_of(sampled)};
    const torch::Tensor& bias = weights.router.selection_bias;
    if (bias.defined()) projected.selection_bias = values_of(bias);
    return projected;
}

}  // namespace espalier
