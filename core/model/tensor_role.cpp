#include "model/tensor_role.h"

namespace espalier {

bool is_expert_role(TensorRole role) noexcept {
    return role == TensorRole::ExpertGate || role == TensorRole::ExpertUp ||
           role == TensorRole::ExpertDown;
}

}  // namespace espalier
