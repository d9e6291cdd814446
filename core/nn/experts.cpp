#include "nn/experts.h"

#include <c10/core/GradMode.h>

#include "base/cancel.h"
#include "nn/activation.h"
#include "nn/expert_groups.h"
#include "nn/torch_tensors.h"

namespace espalier {
namespace {

torch::Tensor as_index(std::span<const std::int64_t> ids) {
    return torch::from_blob(const_cast<std::int64_t*>(ids.data()),  // NOLINT: read only
                            {static_cast<std::int64_t>(ids.size())}, torch::kInt64);
}

/// sum += weight * row. In blocks of a fixed size, which the compiler turns into vectors.
void add_scaled(float weight, std::span<const float> row, std::span<float> sum) {
    constexpr std::size_t kBlock = 16;
    const float* __restrict from = row.data();
    float* __restrict to = sum.data();
    std::size_t c = 0;
    for (; c + kBlock <= row.size(); c += kBlock) {
        for (std::size_t lane = 0; lane < kBlock; ++lane) to[c + lane] += weight * from[c + lane];
    }
    for (; c < row.size(); ++c) to[c] += weight * from[c];
}

/// out[token] += weight * row, row by row: index_add_ pays a dispatch for each.
void add_weighted_rows(const ExpertCall& call, std::span<float> out) {
    const auto hidden = static_cast<std::size_t>(call.output.size(1));
    const std::span<const float> rows = values(call.output);
    for (std::size_t i = 0; i < call.tokens.size(); ++i) {
        const float* row = rows.data() + i * hidden;
        float* sum = out.data() + static_cast<std::size_t>(call.tokens[i]) * hidden;
        add_scaled(call.weights[i], {row, hidden}, {sum, hidden});
    }
}

/// One expert on some of the rows.
ExpertCall call_of(const ExpertsContext& context, const GatedMlp& mlp, const torch::Tensor& rows,
                   std::span<const std::int64_t> tokens) {
    ExpertCall call;
    call.tokens = tokens;
    call.input = rows.index_select(0, as_index(tokens));
    if (mlp.constant.defined()) {
        call.output = mlp.constant.expand({call.input.size(0), -1}).contiguous();
        return call;
    }
    call.activation = activate(context.config, mlp.gate(call.input), mlp.up(call.input));
    call.output = mlp.down(call.activation);
    return call;
}

torch::Tensor infer(const ExpertsContext& context, const torch::Tensor& rows,
                    const RoutedRows& routing, const ExpertGroups& groups) {
    torch::Tensor out = torch::zeros_like(rows);
    const std::span<const float> weights = values(routing.weights);
    std::vector<float> own_weights;
    for (std::int64_t expert = 0; expert < context.num_experts; ++expert) {
        throw_if_stopped(context.stop);
        const auto tokens = groups.tokens(expert);
        if (tokens.empty()) continue;
        const GatedMlp& mlp = context.experts.at(static_cast<std::size_t>(expert));
        own_weights.clear();
        for (const std::int64_t slot : groups.slots(expert)) {
            own_weights.push_back(weights[static_cast<std::size_t>(slot)]);
        }
        ExpertCall call = call_of(context, mlp, rows, tokens);
        call.expert = expert;
        call.weights = own_weights;
        if (context.tap != nullptr) context.tap->on_expert(call);
        add_weighted_rows(call, mutable_values(out));
    }
    return out;
}

/// The same sum out of differentiable pieces: all outputs expert by expert, put back into [tokens,
/// top_k].
torch::Tensor train(const ExpertsContext& context, const torch::Tensor& rows,
                    const RoutedRows& routing, const ExpertGroups& groups) {
    std::vector<torch::Tensor> outputs;
    for (std::int64_t expert = 0; expert < context.num_experts; ++expert) {
        throw_if_stopped(context.stop);
        const auto tokens = groups.tokens(expert);
        if (tokens.empty()) continue;
        // The graph keeps the index, which must not point into `groups`.
        const torch::Tensor index = as_index(tokens).clone();
        const torch::Tensor input = rows.index_select(0, index);
        outputs.push_back(run_expert(context.config,
                                     context.experts.at(static_cast<std::size_t>(expert)), input));
    }
    const torch::Tensor place_of_slot = torch::argsort(as_index(groups.slots()));
    const torch::Tensor of_slot = torch::cat(outputs, 0).index_select(0, place_of_slot);
    const torch::Tensor of_token = of_slot.view({rows.size(0), -1, rows.size(1)});
    return (of_token * routing.weights.unsqueeze(-1)).sum(1);
}

}  // namespace

torch::Tensor run_expert(const ExpertConfig& config, const GatedMlp& mlp,
                         const torch::Tensor& rows) {
    if (mlp.constant.defined()) return mlp.constant.expand({rows.size(0), -1});
    return mlp.down(activate(config, mlp.gate(rows), mlp.up(rows)));
}

torch::Tensor routed_experts(const ExpertsContext& context, const torch::Tensor& rows,
                             const RoutedRows& routing) {
    const ExpertGroups groups(routing.selected, context.num_experts);
    return c10::GradMode::is_enabled() ? train(context, rows, routing, groups)
                                       : infer(context, rows, routing, groups);
}

}  // namespace espalier
