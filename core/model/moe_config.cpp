#include "model/moe_config.h"

#include <algorithm>

namespace espalier {

std::vector<std::int64_t> MoeConfig::moe_layers() const {
    std::vector<std::int64_t> found;
    for (std::int64_t i = 0; i < num_layers(); ++i) {
        if (layers[static_cast<std::size_t>(i)].feed_forward == FeedForwardKind::Moe) {
            found.push_back(i);
        }
    }
    return found;
}

bool MoeConfig::is_native() const noexcept {
    return std::any_of(layers.begin(), layers.end(), [](const LayerConfig& layer) {
        return layer.num_experts != 0 || !layer.constants.empty();
    });
}

RouterConfig MoeConfig::router_of(std::int64_t layer) const {
    RouterConfig own = router;
    const std::int64_t count = layers.at(static_cast<std::size_t>(layer)).num_experts;
    if (count != 0) own.num_experts = count;
    return own;
}

bool MoeConfig::is_constant(std::int64_t layer, std::int64_t expert) const {
    const auto& constants = layers.at(static_cast<std::size_t>(layer)).constants;
    return std::binary_search(constants.begin(), constants.end(), expert);
}

std::int64_t MoeConfig::num_weighted_of(std::int64_t layer) const {
    return num_experts_of(layer) -
           static_cast<std::int64_t>(layers[static_cast<std::size_t>(layer)].constants.size());
}

std::int64_t MoeConfig::place_among_weighted(std::int64_t layer, std::int64_t expert) const {
    const auto& constants = layers.at(static_cast<std::size_t>(layer)).constants;
    const auto below = std::lower_bound(constants.begin(), constants.end(), expert);
    return expert - (below - constants.begin());
}

}  // namespace espalier
