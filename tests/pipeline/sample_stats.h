#pragma once

#include <filesystem>

#include "base/json.h"
#include "model/model_source.h"
#include "routing/expert_stats.h"

namespace espalier::test {

/// Statistics of the sample as far as the reference's scores tell them.
inline ExpertStats sample_stats(const ModelSource& model) {
    const std::filesystem::path sample = ESPALIER_SAMPLE;
    const Json scores =
        read_json_file(sample / "reference.json").at("calibrations").at("mix.txt").at("scores");
    ExpertStats stats;
    stats.model_hash = model.hash();
    stats.num_experts = model.config().router.num_experts;
    stats.top_k = model.config().router.top_k;
    for (std::size_t l = 0; l < scores.at("reap").size(); ++l) {
        LayerStats layer = empty_layer_stats(stats.num_experts, 0);
        const auto count = scores.at("frequency")[l].get<std::vector<double>>();
        const auto reap = scores.at("reap")[l].get<std::vector<double>>();
        layer.norm_sum = scores.at("ean_sum")[l].get<std::vector<double>>();
        layer.tokens = 65536;
        for (std::size_t e = 0; e < count.size(); ++e) {
            layer.count[e] = static_cast<std::int64_t>(count[e]);
            layer.gated_norm_sum[e] = reap[e] * count[e];
        }
        stats.layers[static_cast<std::int64_t>(l)] = layer;
    }
    return stats;
}

}  // namespace espalier::test
