#include "model/tensor_role.h"

namespace espalier {

bool is_expert_role(TensorRole role) noexcept {
    switch (role) {
        case TensorRole::ExpertGate:
        case TensorRole::ExpertUp:
        case TensorRole::ExpertDown:
        case TensorRole::ExpertGateBias:
        case TensorRole::ExpertUpBias:
        case TensorRole::ExpertDownBias:
        case TensorRole::ExpertConstant:
            return true;
        default:
            return false;
    }
}

bool is_router_role(TensorRole role) noexcept {
    return role == TensorRole::Router || role == TensorRole::RouterBias ||
           role == TensorRole::RouterSelectionBias;
}

}  // namespace espalier
