#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <string>

#include "prune/expert_constants.h"
#include "prune/expert_plan.h"
#include "prune/pruning_fixture.h"

/// Plans that only a native folder can hold.
namespace pruning {

/// Half of each group goes in the first routed layer, one of each group in the others.
inline espalier::ExpertPlan uneven_plan(const espalier::MoeConfig& config) {
    espalier::ExpertPlan plan;
    const std::int64_t size = config.router.num_experts / config.router.num_groups;
    bool is_first = true;
    for (const std::int64_t layer : config.moe_layers()) {
        for (std::int64_t e = 0; e < config.router.num_experts; ++e) {
            const std::int64_t place = e % size;
            if (is_first ? place % 2 == 1 : place != 1) {
                plan.layers[layer].kept.push_back(static_cast<std::int32_t>(e));
            }
        }
        is_first = false;
    }
    return plan;
}

/// Replaces what uneven_plan() removes.
inline espalier::ExpertPlan replacing_plan(const espalier::MoeConfig& config) {
    espalier::ExpertPlan plan = uneven_plan(config);
    plan.criterion = "mone";
    return plan;
}

/// Some vector for each expert that goes, no two alike.
inline espalier::ExpertConstants some_constants(const espalier::ExpertPlan& plan,
                                                const espalier::MoeConfig& config) {
    espalier::ExpertConstants constants;
    for (const auto& [layer, row] : plan.layers) {
        for (std::int32_t e = 0; e < config.router.num_experts; ++e) {
            if (std::binary_search(row.kept.begin(), row.kept.end(), e)) continue;
            auto& values = constants[layer][e];
            for (std::int64_t c = 0; c < config.hidden_size; ++c) {
                values.push_back(0.1F * std::sin(static_cast<float>(c + 7 * e + 31 * layer)));
            }
        }
    }
    return constants;
}

inline espalier::PruneReport prune_native(const espalier::ModelSource& model,
                                          const espalier::ExpertPlan& plan,
                                          const std::filesystem::path& out,
                                          const espalier::ExpertConstants* constants = nullptr) {
    return espalier::write_pruned({.model = model,
                                   .plan = plan,
                                   .out = out,
                                   .lineage = {{"stage", "prune"}},
                                   .format = espalier::PruneFormat::Native,
                                   .constants = constants});
}

}  // namespace pruning
