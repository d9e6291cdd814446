#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "model/moe_config.h"
#include "routing/fidelity.h"

namespace espalier {

/// What a model's routers decided on some tokens, teacher-forced; spec "routing fidelity" 1.
/// Experts have the ids of the original, so that traces of any two stages compare. Floats are f16.
struct RoutingTrace {
    struct Layer {
        std::vector<std::int32_t> expert_ids;  ///< [experts] original id of each column, ascending
        std::vector<std::uint16_t> topk_id;    ///< [tokens, k], by descending gate
        std::vector<std::uint16_t> gate_w;     ///< [tokens, k] f16
        std::vector<std::uint16_t> logits;     ///< [logit tokens, experts] f16
        /// f16, what top-k is taken of where that is not the order of the logits; or empty.
        std::vector<std::uint16_t> scores;
        std::vector<std::uint16_t> margin;  ///< [tokens] f16, in selection space
        bool operator==(const Layer&) const = default;
    };

    RouterConfig router;                  ///< of the original: its number of experts and groups
    std::vector<std::uint32_t> token_id;  ///< [tokens]
    std::int64_t logit_tokens = 0;        ///< the first so many have logits
    std::map<std::int64_t, Layer> layers;
    /// {"model_hash", "tokenizer_hash", "probe_hash", "engine", "dtype", "documents": [{"task",
    /// "begin"}]}
    Json origin = Json::object();
    bool operator==(const RoutingTrace&) const = default;
};

/// One safetensors file: `token_id`, `topk_id.<layer>`, `gate_w.<layer>`, `logits.<layer>`,
/// `scores.<layer>`, `margin.<layer>`, and the rest as JSON under `__metadata__.espalier`.
void save_routing_trace(const RoutingTrace& trace, const std::filesystem::path& path);
/// @throws Error of the E-FILE family
RoutingTrace load_routing_trace(const std::filesystem::path& path);

/// The metrics of routing between two traces of the same tokens, over those that have logits in
/// both. What a comparison of running models says too, but for the f16 of the logits.
/// @throws Error RunRecipe if the tokens or layers differ, or the current trace has an expert that
/// the base lacks
std::vector<LayerFidelity> compare_traces(const RoutingTrace& base, const RoutingTrace& current);

}  // namespace espalier
