#pragma once

#include <map>
#include <optional>
#include <span>
#include <vector>

#include "calib/layer_accumulator.h"
#include "calib/layer_measurement.h"
#include "calib/token_outputs.h"
#include "model/moe_config.h"
#include "nn/layer_tap.h"

namespace espalier {

/// What the taps of all batches share.
struct TapScope {
    const MoeConfig& config;  ///< must outlive the tap
    StatChoice stats = StatChoice::defaults();
    std::size_t num_tasks = 0;
    std::size_t num_samples = 0;  ///< of all batches, see TokenTags
};

/// Hands what a layer computes for one batch to those who add it up.
class StatsTap final : public LayerTap {
public:
    StatsTap(const TapScope& scope, std::vector<TokenTag> tags);

    void on_input(std::span<const TensorRole> roles, const torch::Tensor& rows) override;
    void on_residual(const torch::Tensor& rows) override;
    void on_routing(const RoutedRows& routing) override;
    void on_expert(const ExpertCall& call) override;
    torch::Tensor extra_experts(const RoutedRows& routing) override;
    void on_extra_expert(const ExpertCall& call) override;
    void on_routed_output(const torch::Tensor& rows) override;

    LayerMeasurement result() &&;

private:
    TapScope scope_;
    std::vector<TokenTag> tags_;
    LayerAccumulator accumulator_;
    std::optional<TokenOutputs> outputs_;
    torch::Tensor residual_;
    std::map<TensorRole, InputEnergy> energies_;
    bool has_router_ = false;
};

}  // namespace espalier
