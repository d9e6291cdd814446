#include "calib/stats_tap.h"

#include <algorithm>
#include <utility>

#include "nn/torch_tensors.h"

namespace espalier {
namespace {

ExpertRows rows_of(const ExpertCall& call) {
    return {.expert = call.expert,
            .tokens = call.tokens,
            .weights = call.weights,
            .input = values(call.input),
            .activation = values(call.activation),
            .output = values(call.output)};
}

bool needs_outputs(const StatChoice& choice) {
    return choice.has(OptionalStat::CoactGram) || choice.has(OptionalStat::Substitution);
}

}  // namespace

StatsTap::StatsTap(const TapScope& scope, std::vector<TokenTag> tags)
    : scope_(scope),
      tags_(std::move(tags)),
      accumulator_(scope.config.router.num_experts, scope.num_tasks, scope.stats) {}

void StatsTap::on_input(std::span<const TensorRole> roles, const torch::Tensor& rows) {
    if (std::find(roles.begin(), roles.end(), TensorRole::Router) != roles.end()) {
        accumulator_.add_inputs(values(rows), tags_, scope_.num_samples);
    }
    if (!scope_.stats.has(OptionalStat::InputEnergies)) return;
    InputEnergy energy{.tokens = rows.size(0),
                       .sq_sum = std::vector<double>(static_cast<std::size_t>(rows.size(1)))};
    add_squares(values(rows), energy.sq_sum);
    for (const TensorRole role : roles) add_energy(energies_[role], energy);
}

void StatsTap::on_residual(const torch::Tensor& rows) { residual_ = rows; }

void StatsTap::on_routing(const RoutedRows& routing) {
    has_router_ = true;
    const torch::Tensor selected = routing.selected.to(torch::kInt32);
    RoutingView view{
        .num_experts = routing.logits.size(1),
        .top_k = selected.size(1),
        .logits = values(routing.logits),
        .selected = {selected.data_ptr<std::int32_t>(), static_cast<std::size_t>(selected.numel())},
        .weights = values(routing.weights)};
    const torch::Tensor scores =
        routing.scores.defined() ? routing.scores.contiguous() : torch::Tensor();
    if (scores.defined()) view.scores = values(scores);
    accumulator_.add_routing(view, tags_);
    accumulator_.add_profiles(view, tags_, scope_.num_samples);
    if (needs_outputs(scope_.stats)) outputs_.emplace(scope_.config.router, view, scope_.stats);
}

void StatsTap::on_expert(const ExpertCall& call) {
    accumulator_.add_expert(rows_of(call), tags_);
    if (outputs_) outputs_->add(rows_of(call));
}

torch::Tensor StatsTap::extra_experts(const RoutedRows& routing) {
    if (!outputs_ || outputs_->runner_ups().empty()) return {};
    // Of all tokens or of none: a router that chooses every expert has no runner-up.
    if (routing.selected.size(1) == routing.logits.size(1)) return {};
    return torch::tensor(outputs_->runner_ups()).unsqueeze(1);
}

void StatsTap::on_extra_expert(const ExpertCall& call) { outputs_->add(rows_of(call)); }

void StatsTap::on_routed_output(const torch::Tensor& rows) {
    accumulator_.add_streams({.residual = values(residual_),
                              .routed = values(rows),
                              .multiplier = scope_.config.residual_multiplier},
                             tags_);
    if (outputs_) outputs_->finish(values(residual_), tags_, accumulator_.stats());
    outputs_.reset();
    residual_.reset();
}

LayerMeasurement StatsTap::result() && {
    return {.stats = has_router_ ? std::move(accumulator_.stats()) : LayerStats{},
            .energies = std::move(energies_)};
}

}  // namespace espalier
