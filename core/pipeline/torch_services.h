#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <stop_token>
#include <vector>

#include "base/thread_pool.h"
#include "data/dataset.h"
#include "eval/expert_projector.h"
#include "model/expert_mask.h"
#include "model/forward_observer.h"
#include "model/model_source.h"

namespace espalier {

/// What the torch module does for others. Implemented there, asked for here.
class TorchServices {
public:
    virtual ~TorchServices() = default;

    /// A float32 forward pass of rows of equal length, [rows][tokens]; one layer in memory at a
    /// time.
    virtual void trace(const ModelSource& model, const std::vector<std::vector<std::int32_t>>& ids,
                       const ExpertMask& mask, ForwardObserver& observer, std::stop_token stop) = 0;

    /// Projects experts on these windows; keeps `model` and `pool` by reference.
    /// @param seed of the labels that are drawn from the predictions
    virtual std::unique_ptr<ExpertProjector> expert_projector(const ModelSource& model,
                                                              TokenWindows windows,
                                                              std::uint64_t seed,
                                                              ThreadPool& pool) = 0;
};

void register_torch_services(std::unique_ptr<TorchServices> services);
/// Opens the torch module on first use. @throws Error RunModule
TorchServices& torch_services();

}  // namespace espalier
