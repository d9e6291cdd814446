#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "calib/calibrate_request.h"
#include "model/expert_mask.h"
#include "model/model_source.h"
#include "routing/expert_stats.h"

namespace espalier {

/// What a layer is from now on.
struct LayerChange {
    std::unique_ptr<const ModelSource> source;  ///< that has its weights; null: the model itself
    ExpertMask mask;
};

/// Who listens to a calibration. Each function may be empty; called on the calling thread.
struct CalibrateSinks {
    std::function<void(double fraction, const std::string& text)> progress;
    /// Statistics of one layer at a time as they are measured; first those of layers that an
    /// earlier call had finished.
    std::function<void(const ExpertStats& stats)> layer;
    /// Asked about each routed layer once it is measured as it is: later layers see what the
    /// changed one makes of the tokens, for the price of running it once more. The request tells
    /// what is done, in `change`.
    std::function<LayerChange(std::int64_t layer, const ExpertStats& stats)> change = {};
};

/// Measures the experts of a model: runs the calibration data through it, layer by layer over all
/// tokens, and writes the statistics. Computed by the native engine; weights are used as they lie
/// in the mapped model, memory is bounded by one micro-batch a thread, and hidden states lie in the
/// checkpoint folder. A call that was cut off goes on after its last finished layer. The result
/// depends neither on the number of threads nor on where it was cut off.
/// @throws Error, Cancelled
CalibrateResult calibrate(const CalibrateRequest& request, const CalibrateSinks& sinks,
                          const std::stop_token& stop);

/// tokens, tokens_per_second, routed_layers, experts_never_used and hidden_dtype.
Json calibration_metrics(const ExpertStats& stats, std::int64_t tokens, double seconds);

/// Checks what can be checked without reading anything. @throws Error UsageInvalid
void validate(const CalibrateRequest& request);

}  // namespace espalier
