#pragma once

#include <map>
#include <optional>
#include <span>
#include <vector>

#include "calib/layer_accumulator.h"
#include "calib/layer_measurement.h"
#include "calib/token_outputs.h"
#include "model/forward_observer.h"
#include "model/moe_config.h"

namespace espalier {

/// What the taps of all batches share.
struct TapScope {
    const MoeConfig& config;  ///< must outlive the tap
    StatChoice stats = StatChoice::defaults();
    std::size_t num_tasks = 0;
    std::size_t num_samples = 0;  ///< of all batches, see TokenTags
};

/// Hands what a layer computes for one batch to those who add it up.
class StatsTap final : public ForwardObserver {
public:
    StatsTap(const TapScope& scope, std::vector<TokenTag> tags);

    void on_activation(Activation /*what*/, std::int64_t /*index*/,
                       std::span<const float> /*rows*/) override {}
    bool watches_parts() const override { return true; }
    void on_input(std::span<const TensorRole> roles, std::span<const float> rows,
                  std::size_t num_tokens) override;
    void on_residual(std::span<const float> rows) override { residual_ = rows; }
    void on_routing(std::int64_t layer, const RoutingView& routing) override;
    void on_expert(const ExpertRows& rows) override;
    std::span<const std::int64_t> extra_experts() const override;
    void on_extra_expert(const ExpertRows& rows) override { outputs_->add(rows); }
    void on_routed_output(std::int64_t layer, std::span<const float> rows) override;

    LayerMeasurement result() &&;

private:
    TapScope scope_;
    std::vector<TokenTag> tags_;
    LayerAccumulator accumulator_;
    std::optional<TokenOutputs> outputs_;
    std::span<const float> residual_;  ///< until the routed output comes
    std::map<TensorRole, InputEnergy> energies_;
    bool has_router_ = false;
};

}  // namespace espalier
