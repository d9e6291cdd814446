#include "nn/activation.h"

namespace espalier {

torch::Tensor activate(const ExpertConfig& config, const torch::Tensor& gate,
                       const torch::Tensor& up) {
    switch (config.activation) {
        case ExpertActivation::Silu:
            return torch::silu(gate) * up;
        case ExpertActivation::ClampedSilu: {
            const torch::Tensor held = gate.clamp_max(config.limit);
            return held * torch::sigmoid(held * config.alpha) *
                   (up.clamp(-config.limit, config.limit) + 1.0);
        }
    }
    TORCH_INTERNAL_ASSERT(false);
}

}  // namespace espalier
