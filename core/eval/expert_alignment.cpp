#include "eval/expert_alignment.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>

#include "base/error.h"

namespace espalier {
namespace {

Error cannot_compare(const std::string& what) {
    return Error(ErrorCode::RunRecipe, what,
                 "Choose the model that it was made from as the reference.");
}

/// Pairs (reference id, model id) of what the model can choose from.
using Pairs = std::vector<std::pair<std::int32_t, std::int32_t>>;

Pairs pairs_of(std::span<const std::int32_t> row, std::int64_t layer, std::int64_t num_experts,
               const ExpertMask& mask) {
    Pairs pairs;
    const bool lists_masked = !row.empty() && static_cast<std::int64_t>(row.size()) < num_experts;
    if (lists_masked) {
        for (const std::int32_t id : row) pairs.emplace_back(id, id);
        return pairs;
    }
    for (std::int64_t e = 0; e < num_experts; ++e) {
        if (mask.is_removed(layer, e)) continue;
        const auto id = static_cast<std::int32_t>(e);
        pairs.emplace_back(row.empty() ? id : row[static_cast<std::size_t>(e)], id);
    }
    std::sort(pairs.begin(), pairs.end());
    return pairs;
}

LayerAlignment align_layer(const Pairs& pairs, std::int64_t layer, const RouterConfig& reference,
                           const RouterConfig& model) {
    LayerAlignment aligned;
    aligned.layer = layer;
    aligned.position_of_model.assign(static_cast<std::size_t>(model.num_experts), -1);
    for (const auto& [reference_id, model_id] : pairs) {
        const bool twice =
            !aligned.reference_ids.empty() && aligned.reference_ids.back() == reference_id;
        if (twice || reference_id < 0 || reference_id >= reference.num_experts || model_id < 0 ||
            model_id >= model.num_experts) {
            throw cannot_compare(
                fmt::format("Expert {} of layer {} has no counterpart of its own among the "
                            "{} experts of the reference.",
                            model_id, layer, reference.num_experts));
        }
        aligned.position_of_model[static_cast<std::size_t>(model_id)] =
            static_cast<std::int32_t>(aligned.reference_ids.size());
        aligned.reference_ids.push_back(reference_id);
        aligned.model_ids.push_back(model_id);
    }
    return aligned;
}

}  // namespace

std::vector<LayerAlignment> align_experts(const MoeConfig& reference, const MoeConfig& model,
                                          const std::vector<std::vector<std::int32_t>>& expert_map,
                                          const ExpertMask& mask) {
    if (reference.vocab_size != model.vocab_size) {
        throw cannot_compare(
            fmt::format("The models have {} and {} tokens: their predictions cannot be "
                        "compared.",
                        reference.vocab_size, model.vocab_size));
    }
    std::vector<LayerAlignment> layers;
    if (reference.moe_layers() != model.moe_layers())
        return layers;  // predictions compare, routing does not
    const bool says_which =
        !expert_map.empty() || reference.router.num_experts == model.router.num_experts;
    if (!says_which) return layers;
    for (const std::int64_t layer : model.moe_layers()) {
        const auto index = static_cast<std::size_t>(layer);
        std::span<const std::int32_t> row;
        if (index < expert_map.size()) row = expert_map[index];
        const RouterConfig router = model.router_of(layer);
        layers.push_back(align_layer(pairs_of(row, layer, router.num_experts, mask), layer,
                                     reference.router_of(layer), router));
    }
    return layers;
}

void add_merged(const MergedExperts& merged,
                const std::vector<std::vector<std::int32_t>>& reference_map,
                std::vector<LayerAlignment>& layers) {
    for (LayerAlignment& layer : layers) {
        const auto row = merged.find(layer.layer);
        const auto index = static_cast<std::size_t>(layer.layer);
        if (row == merged.end() || index >= reference_map.size()) continue;
        const auto& known = reference_map[index];
        for (const auto& [expert, originals] : row->second) {
            const std::int32_t position =
                layer.position_of_model.at(static_cast<std::size_t>(expert));
            if (position < 0) continue;  // masked
            for (const std::int32_t id : originals) {
                const auto found = std::find(known.begin(), known.end(), id);
                if (found == known.end()) continue;
                layer.merged.emplace_back(static_cast<std::int32_t>(found - known.begin()),
                                          position);
            }
        }
    }
}

std::vector<std::vector<std::int32_t>> map_between(
    const std::vector<std::vector<std::int32_t>>& model_map,
    const std::vector<std::vector<std::int32_t>>& reference_map) {
    std::vector<std::vector<std::int32_t>> result = model_map;
    for (std::size_t layer = 0; layer < result.size(); ++layer) {
        if (layer >= reference_map.size())
            throw cannot_compare("The models have different numbers of layers.");
        const auto& known = reference_map[layer];
        for (std::int32_t& id : result[layer]) {
            const auto found = std::find(known.begin(), known.end(), id);
            if (found == known.end()) {
                throw cannot_compare(fmt::format(
                    "The model has expert {} in layer {}, the reference lacks it.", id, layer));
            }
            id = static_cast<std::int32_t>(found - known.begin());
        }
    }
    return result;
}

}  // namespace espalier
