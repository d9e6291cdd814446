#include "routing/routing_trace.h"

#include <algorithm>
#include <fmt/format.h>
#include <limits>
#include <span>

#include "base/error.h"
#include "tensor/float_formats.h"

namespace espalier {
namespace {

Error cannot_compare(const std::string& what) {
    return Error(ErrorCode::RunRecipe, what, "Record both traces on the same probe and lineage.");
}

void require_same_tokens(const RoutingTrace& base, const RoutingTrace& current) {
    if (base.token_id != current.token_id) {
        throw cannot_compare("The traces were recorded on different tokens.");
    }
    const auto same_layer = [](const auto& a, const auto& b) { return a.first == b.first; };
    if (base.layers.size() != current.layers.size() ||
        !std::equal(base.layers.begin(), base.layers.end(), current.layers.begin(), same_layer)) {
        throw cannot_compare("The traces have different routed layers.");
    }
}

/// One token of a trace as the accumulator reads it: columns by original id, or by position.
class TokenReader {
public:
    TokenReader(const RoutingTrace::Layer& layer, std::size_t num_tokens)
        : layer_(layer), top_k_(layer.topk_id.size() / num_tokens) {}

    /// @param column_of [original id] -> column of the result, -1 = never asked for
    void read(std::size_t token, const std::vector<std::int32_t>& column_of,
              std::size_t num_columns) {
        fill(layer_.logits, token, column_of, num_columns, logits_);
        fill(layer_.scores, token, column_of, num_columns, scores_);
        selected_.clear();
        weights_.clear();
        for (std::size_t j = token * top_k_; j < (token + 1) * top_k_; ++j) {
            selected_.push_back(column_of[layer_.topk_id[j]]);
            weights_.push_back(f16_to_float(layer_.gate_w[j]));
        }
    }
    const std::vector<float>& logits() const { return logits_; }
    const std::vector<float>& scores() const { return scores_; }
    const std::vector<std::int32_t>& selected() const { return selected_; }
    const std::vector<float>& weights() const { return weights_; }

private:
    void fill(const std::vector<std::uint16_t>& from, std::size_t token,
              const std::vector<std::int32_t>& column_of, std::size_t num_columns,
              std::vector<float>& into) const {
        into.assign(from.empty() ? 0 : num_columns, -std::numeric_limits<float>::infinity());
        if (from.empty()) return;
        const std::size_t width = layer_.expert_ids.size();
        for (std::size_t i = 0; i < width; ++i) {
            const auto column = column_of[static_cast<std::size_t>(layer_.expert_ids[i])];
            into[static_cast<std::size_t>(column)] = f16_to_float(from[token * width + i]);
        }
    }

    const RoutingTrace::Layer& layer_;
    std::size_t top_k_;
    std::vector<float> logits_;
    std::vector<float> scores_;
    std::vector<std::int32_t> selected_;
    std::vector<float> weights_;
};

LayerFidelity compare_layer(std::int64_t index, const RoutingTrace& base,
                            const RoutingTrace& current) {
    const auto& from = base.layers.at(index);
    const auto& to = current.layers.at(index);
    if (!std::includes(from.expert_ids.begin(), from.expert_ids.end(), to.expert_ids.begin(),
                       to.expert_ids.end())) {
        throw cannot_compare(
            fmt::format("Layer {} has experts that the base of the comparison lacks.", index));
    }
    const auto num_experts = static_cast<std::size_t>(base.router.num_experts);
    std::vector<std::int32_t> as_they_are(num_experts);
    for (std::size_t e = 0; e < num_experts; ++e) as_they_are[e] = static_cast<std::int32_t>(e);
    std::vector<std::int32_t> position(num_experts, -1);
    for (std::size_t i = 0; i < to.expert_ids.size(); ++i) {
        position[static_cast<std::size_t>(to.expert_ids[i])] = static_cast<std::int32_t>(i);
    }
    FidelityAccumulator sum({.layer = index, .router = base.router, .kept = to.expert_ids});
    TokenReader left(from, base.token_id.size());
    TokenReader right(to, current.token_id.size());
    const auto tokens = static_cast<std::size_t>(std::min(base.logit_tokens, current.logit_tokens));
    for (std::size_t t = 0; t < tokens; ++t) {
        left.read(t, as_they_are, num_experts);
        right.read(t, position, to.expert_ids.size());
        sum.add({left.logits(), left.selected(), left.weights(), right.logits(), right.selected(),
                 right.weights(), left.scores(), right.scores()});
    }
    return sum.result();
}

}  // namespace

std::vector<LayerFidelity> compare_traces(const RoutingTrace& base, const RoutingTrace& current) {
    require_same_tokens(base, current);
    std::vector<LayerFidelity> result;
    for (const auto& [index, layer] : base.layers) {
        result.push_back(compare_layer(index, base, current));
    }
    return result;
}

}  // namespace espalier
