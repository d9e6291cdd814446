#include "calib/stats_tap.h"

#include <algorithm>
#include <utility>

namespace espalier {
namespace {

bool needs_outputs(const StatChoice& choice) {
    return choice.has(OptionalStat::CoactGram) || choice.has(OptionalStat::Substitution);
}

}  // namespace

StatsTap::StatsTap(const TapScope& scope, std::vector<TokenTag> tags)
    : scope_(scope),
      tags_(std::move(tags)),
      accumulator_(scope.config.router, scope.num_tasks, scope.stats) {}

void StatsTap::on_input(std::span<const TensorRole> roles, std::span<const float> rows,
                        std::size_t num_tokens) {
    if (std::find(roles.begin(), roles.end(), TensorRole::Router) != roles.end()) {
        accumulator_.add_inputs(rows, tags_, scope_.num_samples);
    }
    if (!scope_.stats.has(OptionalStat::InputEnergies)) return;
    const InputEnergy energy = energy_of(rows, num_tokens);
    for (const TensorRole role : roles) add_energy(energies_[role], energy);
}

void StatsTap::on_routing(std::int64_t /*layer*/, const RoutingView& routing) {
    has_router_ = true;
    accumulator_.add_routing(routing, tags_);
    accumulator_.add_profiles(routing, tags_, scope_.num_samples);
    if (needs_outputs(scope_.stats)) outputs_.emplace(scope_.config.router, routing, scope_.stats);
}

void StatsTap::on_expert(const ExpertRows& rows) {
    accumulator_.add_expert(rows, tags_);
    if (outputs_) outputs_->add(rows);
}

std::span<const std::int64_t> StatsTap::extra_experts() const {
    if (!outputs_) return {};
    return outputs_->runner_ups();
}

void StatsTap::on_routed_output(std::int64_t /*layer*/, std::span<const float> rows) {
    accumulator_.add_streams(
        {.residual = residual_, .routed = rows, .multiplier = scope_.config.residual_multiplier},
        tags_);
    if (outputs_) outputs_->finish(residual_, tags_, accumulator_.stats());
    outputs_.reset();
    residual_ = {};
}

LayerMeasurement StatsTap::result() && {
    return {.stats = has_router_ ? std::move(accumulator_.stats()) : LayerStats{},
            .energies = std::move(energies_)};
}

}  // namespace espalier
