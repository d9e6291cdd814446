#include "pipeline/stats_for_model.h"

#include <algorithm>
#include <cstddef>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <utility>

#include "base/error.h"
#include "routing/expert_stats_fields.h"
#include "routing/provenance.h"

namespace espalier {
namespace {

using Ids = std::vector<std::int32_t>;

/// Takes rows `ids` of each of `outer` groups: [outer, experts, any].
template <typename T>
void take_rows(std::vector<T>& values, std::size_t num_experts, const Ids& ids, std::size_t outer) {
    if (values.empty() || outer == 0) return;
    const std::size_t inner = values.size() / (outer * num_experts);
    std::vector<T> taken;
    taken.reserve(outer * ids.size() * inner);
    for (std::size_t group = 0; group < outer; ++group) {
        for (const std::int32_t id : ids) {
            const auto first =
                values.begin() + static_cast<std::ptrdiff_t>(
                                     (group * num_experts + static_cast<std::size_t>(id)) * inner);
            taken.insert(taken.end(), first, first + static_cast<std::ptrdiff_t>(inner));
        }
    }
    values = std::move(taken);
}

/// How many times the experts stand one after the other in a statistic; 0: it is not about experts.
std::size_t groups_of(StatExtent extent) {
    switch (extent) {
        case StatExtent::HalfExperts:
            return 2;
        case StatExtent::Doublings:
            return kDoublings;
        case StatExtent::Layer:
        case StatExtent::Samples:
            return 0;
        default:
            return 1;
    }
}

template <typename Fields>
void take_fields(LayerStats& layer, const Fields& fields, std::size_t num_experts, const Ids& ids) {
    for (const auto& field : fields) {
        auto& values = layer.*field.values;
        take_rows(values, num_experts, ids, groups_of(field.extent));
        // Of pairs, the columns too.
        if (field.extent == StatExtent::ExpertPairs) {
            take_rows(values, num_experts, ids, ids.size());
        }
    }
}

void take_experts(LayerStats& layer, std::size_t num_experts, const Ids& ids) {
    take_fields(layer, kCountFields, num_experts, ids);
    take_fields(layer, kSumFields, num_experts, ids);
    take_fields(layer, kVectorFields, num_experts, ids);
    take_rows(layer.top_contexts, num_experts, ids, 1);
    const std::size_t tasks = layer.task_tokens.size();
    for (const auto& field : kTaskCountFields) {
        take_rows(layer.*field.values, num_experts, ids, tasks);
    }
    for (const auto& field : kTaskSumFields) {
        take_rows(layer.*field.values, num_experts, ids, tasks);
    }
}

/// A model whose experts have lost channels has none of the statistics of each channel.
void drop_other_widths(ExpertStats& stats, std::int64_t width) {
    const auto size = static_cast<std::size_t>(stats.num_experts * width);
    for (auto& [index, layer] : stats.layers) {
        for (auto* values : {&layer.down_input_sq_sum, &layer.channel_energy, &layer.channel_max_sq,
                             &layer.down_column_sq}) {
            if (values->size() != size) values->clear();
        }
    }
}

[[noreturn]] void throw_foreign(const ModelSource& model) {
    throw Error(ErrorCode::RunRecipe,
                fmt::format("The statistics were measured on another model than {}.",
                            model.path().string()),
                "Calibrate this model, or choose the statistics that belong to it.");
}

/// Means of experts do other things than any expert that went into them.
void require_same_experts(const Provenance& origin, const Provenance& measured,
                          const ModelSource& model) {
    const auto merged_into = [](const Provenance& provenance, std::int64_t layer) {
        std::map<std::int32_t, Ids> by_original;
        const auto found = provenance.merged.find(layer);
        if (found == provenance.merged.end()) return by_original;
        for (const auto& [expert, others] : found->second) {
            const auto& row = provenance.expert_map[static_cast<std::size_t>(layer)];
            by_original[row[static_cast<std::size_t>(expert)]] = others;
        }
        return by_original;
    };
    for (const auto& [layer, experts] : origin.merged) {
        const auto known = merged_into(measured, layer);
        for (const auto& [original, others] : merged_into(origin, layer)) {
            const auto found = known.find(original);
            if (found != known.end() && found->second == others) continue;
            throw Error(ErrorCode::RunRecipe,
                        fmt::format("Experts of {} were merged: statistics of the model that it "
                                    "was made from do not hold for it.",
                                    model.path().string()),
                        "Calibrate this model.");
        }
    }
}

/// Where the experts of a model stand in the numbering of another that holds all of them.
std::vector<Ids> positions_in(const std::vector<Ids>& measured, const ModelSource& model,
                              std::vector<Ids> original_ids) {
    if (measured.size() != original_ids.size()) throw_foreign(model);
    for (std::size_t layer = 0; layer < original_ids.size(); ++layer) {
        for (std::int32_t& id : original_ids[layer]) {
            const auto found = std::find(measured[layer].begin(), measured[layer].end(), id);
            if (found == measured[layer].end()) throw_foreign(model);
            id = static_cast<std::int32_t>(found - measured[layer].begin());
        }
    }
    return original_ids;
}

}  // namespace

ExpertStats restrict_stats(const ExpertStats& stats, const std::vector<Ids>& positions) {
    ExpertStats result = stats;
    for (auto& [index, layer] : result.layers) {
        const auto row = static_cast<std::size_t>(index);
        const bool fits = row < positions.size() && !positions[row].empty() &&
                          std::all_of(positions[row].begin(), positions[row].end(),
                                      [&](auto id) { return id >= 0 && id < stats.num_experts; });
        if (!fits) {
            throw Error(ErrorCode::RunRecipe,
                        fmt::format("The statistics of layer {} know {} experts, not those of the "
                                    "model.",
                                    index, stats.num_experts),
                        "Calibrate this model anew.");
        }
        take_experts(layer, static_cast<std::size_t>(stats.num_experts), positions[row]);
        result.num_experts = static_cast<std::int64_t>(positions[row].size());
    }
    return result;
}

ExpertStats stats_for_model(const ExpertStats& stats, const ModelSource& model,
                            const ModelSource* measured) {
    const std::string hash = model.hash();
    if (stats.model_hash == hash) return stats;
    const Provenance origin = provenance_of(model);
    std::vector<Ids> positions = origin.expert_map;
    if (measured != nullptr && measured->hash() == stats.model_hash) {
        const Provenance before = provenance_of(*measured);
        if (before.base_hash != origin.base_hash) throw_foreign(model);
        require_same_experts(origin, before, model);
        positions = positions_in(before.expert_map, model, std::move(positions));
    } else if (stats.model_hash != origin.base_hash) {
        throw_foreign(model);
    } else {
        require_same_experts(origin, {}, model);
    }
    ExpertStats result = restrict_stats(stats, positions);
    drop_other_widths(result, model.config().moe_intermediate_size);
    result.model_hash = hash;
    return result;
}

ExpertStats load_stats_for_model(const std::filesystem::path& path, const ModelSource& model,
                                 bool with_vectors, const std::filesystem::path& measured) {
    if (model.config().is_native()) {
        throw Error(ErrorCode::RunRecipe,
                    fmt::format("{} is native: statistics have one number of experts for all "
                                "layers, so its experts cannot be chosen from.",
                                model.name()),
                    "Work on the model that it was made from.");
    }
    ExpertStats stats = load_expert_stats(path, with_vectors);
    if (measured.empty() || measured == model.path()) return stats_for_model(stats, model);
    const auto source = ModelSource::open(measured);
    return stats_for_model(stats, model, source.get());
}

}  // namespace espalier
