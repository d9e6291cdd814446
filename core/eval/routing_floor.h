#pragma once

#include <cstdint>
#include <span>
#include <stop_token>

#include "eval/perplexity.h"
#include "infer/native_model.h"
#include "routing/routing_report.h"

namespace espalier {

struct RoutingFloorInput {
    std::span<const std::int32_t> ids;
    PerplexityOptions options;
    std::int64_t max_tokens = 1024;  ///< run through the model; at least one window
    bool streams_layers = false;
};

/// By how much the routing of a model differs from its own where nothing was changed; spec "routing
/// fidelity" 5. (a) The same kernels twice give the same bits in this engine whatever the batches
/// and threads, which is not measured. (b) The kernels of generation, which round activations,
/// against those of measurement, end to end. (c) Router logits rounded to bfloat16, layer by layer.
/// Leaves the model's arithmetic as it was.
/// @throws Error as compare_models()
RoutingFloor routing_floor(NativeModel& model, const RoutingFloorInput& input,
                           std::stop_token stop = {});

}  // namespace espalier
