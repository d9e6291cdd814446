#include "model/moe_config.h"

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

}  // namespace espalier
