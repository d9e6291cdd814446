#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "routing/fidelity.h"

namespace espalier {

/// What was done to the model between reference and measurement: it decides what may differ.
enum class RoutingChange {
    None,          ///< the same weights in another engine or precision
    Pruning,       ///< experts were removed
    Quantization,  ///< weights were rounded
};

/// What routing differs by where nothing was changed, measured on the reference; spec "routing
/// fidelity" 5. Empty vectors = not measured.
struct RoutingFloor {
    std::vector<LayerFidelity> kernels;  ///< (b): other kernels and rounded activations, end to end
    std::vector<LayerFidelity> router;   ///< (c): router logits in bfloat16, layer by layer
    double flip_any = 0;                 ///< of (b)
};

struct RoutingReportInput {
    std::string probe_hash;  ///< of the tokens that were compared
    std::string reference;   ///< hash of the reference
    RoutingChange change = RoutingChange::None;
    double bits_per_weight = 16;  ///< of the measured model; picks the limits for quantisation
    std::vector<LayerFidelity> layers;
    std::map<std::string, std::vector<LayerFidelity>> tasks;  ///< by label or text
    double flip_any = 0;  ///< share of tokens where any layer chose other experts
    RoutingFloor floor = {};
    /// {metric: {"pass": x, "warn": y}}: takes the place of limits or adds some, for metrics of
    /// to_json(). Project defaults otherwise, not yet tuned on real models.
    Json limits = Json::object();
};

/// The report of spec "routing fidelity" 6: {"probe_hash", "reference", "restricted", "floor":
/// {"a": 0, "b": {metric: mean}, "c": {…}, "tokens"} or null, "floor_note", "flip_any", "mean":
/// {…}, "median": {…}, "per_layer": [{"layer", …}], "per_task": {label: {…}}, "worst": [{"metric",
/// "value", "floor", "excess", "layers", "pass", "warn", "verdict"}], "verdict":
/// "pass"|"warn"|"fail", "thresholds"}. A metric is judged by its mean over the worst tenth of the
/// layers, at least one, with what floor (b) explains taken off layer by layer.
/// @throws Error RunRecipe for limits that name no metric or are no numbers
Json routing_report(const RoutingReportInput& input);

/// What makes a report's verdict "fail", for people: "restricted_kl 0.21 in layer 3 (limit 0.15)".
std::string routing_failures(const Json& report);

/// @throws Error RunRecipe, as routing_report() would
void validate_routing_limits(const Json& limits);

/// All figures of one layer.
Json to_json(const LayerFidelity& layer);

}  // namespace espalier
