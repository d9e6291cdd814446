#pragma once

#include <cstdint>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "infer/native_model.h"
#include "routing/routing_trace.h"

namespace espalier {

struct RecordRoutingInput {
    NativeModel& model;
    std::span<const std::vector<std::int32_t>> windows;  ///< each with a context of its own
    std::span<const std::string> tasks = {};             ///< of each window; empty = none
    std::int64_t logit_tokens = 8192;
    bool streams_layers = false;
};

/// Runs a probe through a model, layers outermost, and keeps what its routers returned, in the ids
/// of the original (see provenance_of()).
/// @throws Error DataEmpty without tokens, DataLine for an unknown id; Cancelled
RoutingTrace record_routing(const RecordRoutingInput& input, std::stop_token stop = {});

}  // namespace espalier
