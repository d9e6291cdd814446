#include "pipeline/torch_services.h"

#include <utility>

#include "base/error.h"
#include "base/torch_library.h"

namespace espalier {
namespace {

std::unique_ptr<TorchServices>& registered() {
    static std::unique_ptr<TorchServices> services;
    return services;
}

}  // namespace

void register_torch_services(std::unique_ptr<TorchServices> services) {
    registered() = std::move(services);
}

TorchServices& torch_services() {
    open_torch_library();  // returns once the initialisers have run, in whichever thread was first
    if (!registered()) {
        throw Error(ErrorCode::RunModule, "The learning module opened but offers nothing.",
                    "Install the program and its learning module in the same version.");
    }
    return *registered();
}

}  // namespace espalier
