#pragma once

#include <stop_token>
#include <torch/types.h>

#include "model/moe_config.h"
#include "nn/layer_tap.h"
#include "nn/layer_weights.h"

namespace espalier {

struct ExpertsContext {
    const std::vector<GatedMlp>& experts;
    const ExpertConfig& config;
    std::int64_t num_experts = 0;
    LayerTap* tap = nullptr;  ///< inference passes only
    std::stop_token stop;
};

/// One expert on every row, [tokens, hidden]; a constant gives each the same.
torch::Tensor run_expert(const ExpertConfig& config, const GatedMlp& mlp,
                         const torch::Tensor& rows);

/// Sum over the chosen experts of weight * expert(row); only the rows that chose an expert are
/// evaluated. Each row adds up in ascending expert order, in float32.
/// @param rows [tokens, hidden]
torch::Tensor routed_experts(const ExpertsContext& context, const torch::Tensor& rows,
                             const RoutedRows& routing);

}  // namespace espalier
