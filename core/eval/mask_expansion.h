#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "eval/expert_projector.h"
#include "model/moe_config.h"

namespace espalier {

/// The mean KL divergence from the whole model as a function of the kept experts, near a choice:
/// its second-order expansion in the layers' routed outputs, for which no layer has to run. Each
/// token is routed anew among the experts that stay; with the gradients of its cost, c, and of its
/// sampled losses, s, a change d of its routed outputs costs sum(c d) + mean(sum(s d)^2) / 2, sums
/// over layers, the mean over labels. Tokens are taken for independent of each other, and gradients
/// for constant: what is far from the choice is told badly.
///
/// The curvature is the Fisher information as in Theis et al., "Faster gaze prediction with dense
/// networks and Fisher pruning", arXiv 1801.05787.
class MaskExpansion {
public:
    /// @param kept of each routed layer, ascending: the choice that the gradients were taken at
    MaskExpansion(const MoeConfig& config, ProjectedExperts projected,
                  const std::map<std::int64_t, std::vector<std::int32_t>>& kept, ThreadPool& pool);

    /// What the cost would change by, nats a token, if the layer kept these instead. Infinite for
    /// fewer than top_k.
    double change(std::int64_t layer, const std::vector<std::int32_t>& kept) const;
    /// Later changes are those from here.
    void take(std::int64_t layer, const std::vector<std::int32_t>& kept);

private:
    struct Layer {
        RouterConfig router;
        ProjectedLayer projected;
        std::vector<bool> kept;
        std::vector<std::int32_t> selected;  ///< [tokens, top_k]
        std::vector<float> threshold;        ///< least logit selected, [tokens]
        std::vector<float> cost;             ///< of the routed output, [tokens]
        std::vector<float> sampled;          ///< the same, [tokens, labels]
    };
    /// Where another choice changes a token's outputs.
    struct Changed {
        std::vector<std::uint32_t> tokens;
        std::vector<float> cost;     ///< of the routed output now, [changed]
        std::vector<float> sampled;  ///< the same, [changed, labels]
        std::vector<std::int32_t> selected;
    };

    void route_anew(const Layer& layer, const std::vector<bool>& kept, Changed& changed) const;
    static Changed affected(const Layer& layer, const std::vector<bool>& kept, std::size_t begin,
                            std::size_t end);
    double change_between(const Layer& layer, const std::vector<bool>& kept, std::size_t begin,
                          std::size_t end) const;
    static std::vector<bool> flags(const Layer& layer, const std::vector<std::int32_t>& kept);

    std::map<std::int64_t, Layer> layers_;
    std::vector<float> sampled_;  ///< change since the choice, over all layers, [tokens, labels]
    std::size_t num_tokens_ = 0;
    std::size_t num_labels_;
    std::int64_t scored_;
    ThreadPool& pool_;
};

}  // namespace espalier
