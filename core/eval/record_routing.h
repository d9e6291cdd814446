#pragma once

#include <cstdint>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/json.h"
#include "eval/evaluate.h"
#include "eval/perplexity.h"
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

/// The same on the windows that evaluate() would score, a task a text.
/// @throws Error DataEmpty for a text shorter than one window
RoutingTrace record_routing(NativeModel& model, std::span<const EvaluationText> texts,
                            const PerplexityOptions& options, std::stop_token stop = {});

/// The report on a model whose trace is compared with that of what it was made from.
/// @throws Error RunRecipe, see compare_traces()
Json trace_report(const RoutingTrace& base, const RoutingTrace& current, const Json& limits);

}  // namespace espalier
