#include <memory>
#include <utility>

#include "nn/torch_threads.h"
#include "nn/trace.h"
#include "pipeline/torch_services.h"
#include "torch_services/torch_expert_projector.h"

namespace espalier {
namespace {

class LibtorchServices final : public TorchServices {
public:
    void trace(const ModelSource& model, const std::vector<std::vector<std::int32_t>>& ids,
               const ExpertMask& mask, ForwardObserver& observer, std::stop_token stop) override {
        use_one_torch_thread();
        trace_model(model, ids, mask, observer, stop);
    }
    std::unique_ptr<ExpertProjector> expert_projector(const ModelSource& model,
                                                      TokenWindows windows, std::uint64_t seed,
                                                      ThreadPool& pool) override {
        return make_expert_projector(model, std::move(windows), {.seed = seed}, pool);
    }
};

/// Runs when the module is opened.
const bool kRegistered = [] {
    register_torch_services(std::make_unique<LibtorchServices>());
    return true;
}();

}  // namespace
}  // namespace espalier
