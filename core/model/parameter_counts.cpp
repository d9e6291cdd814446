#include "model/parameter_counts.h"

#include "model/model_tensors.h"

namespace espalier {

ParameterCounts count_parameters(const MoeConfig& config) {
    ParameterCounts counts;
    for (const auto& tensor : model_tensors(config)) {
        const std::uint64_t elements = num_elements(tensor.shape).value_or(0);
        counts.total += elements;
        // All experts of a layer are alike (constants are cheaper), so the first top_k stand for
        // any choice.
        const auto& [role, layer, expert] = tensor.key;
        if (expert < 0 || (role != TensorRole::ExpertConstant &&
                           config.place_among_weighted(layer, expert) < config.router.top_k)) {
            counts.active += elements;
        }
    }
    return counts;
}

}  // namespace espalier
