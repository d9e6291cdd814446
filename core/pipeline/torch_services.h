#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <stop_token>
#include <vector>

#include "model/expert_mask.h"
#include "model/forward_observer.h"
#include "model/model_source.h"
#include "pipeline/calibrate_request.h"
#include "pipeline/events.h"

namespace espalier {

/// What the torch module does for others beside its stages. Implemented there, asked for here.
class TorchServices {
public:
    virtual ~TorchServices() = default;

    /// A float32 forward pass of rows of equal length, [rows][tokens]; one layer in memory at a
    /// time.
    virtual void trace(const ModelSource& model, const std::vector<std::vector<std::int32_t>>& ids,
                       const ExpertMask& mask, ForwardObserver& observer, std::stop_token stop) = 0;

    /// Measures the experts of a model over calibration data and writes the statistics. A call that
    /// was cut off, repeated with the same request, goes on after the last finished layer. Reports
    /// StageProgress (of stage 0) and LayerMeasured. @throws Error, Cancelled
    virtual CalibrateResult calibrate(const CalibrateRequest& request, RunObserver& observer,
                                      std::stop_token stop) = 0;
};

void register_torch_services(std::unique_ptr<TorchServices> services);
/// Opens the torch module on first use. @throws Error RunModule
TorchServices& torch_services();

}  // namespace espalier
