#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "model/forward_observer.h"
#include "model/moe_config.h"

namespace espalier {

/// The best expert of each token that was not chosen, in the space that top-k is taken in: who
/// would come in if one of the chosen were gone. Equal scores: the lower id. [tokens]; -1 where
/// every expert was chosen. Groups are judged with all experts there: that a router without the
/// expert might prefer another group is left out.
std::vector<std::int64_t> runner_ups(const RouterConfig& config, const RoutingView& routing);

/// A token and one of its chosen experts that is to be gone.
struct Absence {
    std::span<const float> logits;         ///< [experts]
    std::span<const std::int32_t> chosen;  ///< [top_k]
    std::size_t gone = 0;                  ///< index into `chosen`
    std::int64_t runner_up = -1;           ///< takes its place; -1 = nobody
};

/// The gates of a router that never had the expert: it leaves the softmax' denominator, and the
/// others' gates are normalised and scaled as the family does it.
/// @param gates [top_k + 1], of the chosen (0 for the one that is gone) and of the runner-up
void gates_without(const RouterConfig& config, const Absence& absence, std::span<double> gates);

}  // namespace espalier
