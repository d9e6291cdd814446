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

struct RoutingReportInput {
    std::string probe_hash;  ///< of the tokens that were compared
    std::string reference;   ///< hash of the reference
    RoutingChange change = RoutingChange::None;
    double bits_per_weight = 16;  ///< of the measured model; picks the limits for quantisation
    std::vector<LayerFidelity> layers;
    std::map<std::string, std::vector<LayerFidelity>> tasks;  ///< by label or text
};

/// The report of spec "routing fidelity" 6: {"probe_hash", "reference", "restricted", "floor",
/// "floor_note", "mean": {…}, "per_layer": [{"layer", …}], "per_task": {label: {…}}, "worst":
/// [{"metric", "value", "layers", "pass", "warn", "verdict"}], "verdict": "pass"|"warn"|"fail",
/// "thresholds"}. A metric is judged by its mean over the worst tenth of the layers, at least one.
/// No noise floor is subtracted as none was measured: "floor" is null and says so.
Json routing_report(const RoutingReportInput& input);

/// All figures of one layer.
Json to_json(const LayerFidelity& layer);

}  // namespace espalier
