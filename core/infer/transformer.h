#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "infer/activations.h"
#include "infer/attention.h"
#include "infer/compute.h"
#include "infer/feed_forward.h"
#include "infer/kv_cache.h"
#include "infer/rope_table.h"
#include "infer/weights.h"
#include "model/expert_mask.h"
#include "model/forward_observer.h"
#include "model/model_source.h"

namespace espalier {

/// The steps of a forward pass, for whoever orders them: token by token, or layer by layer.
class Transformer {
public:
    explicit Transformer(const ModelSource& source);

    const ModelSource& source() const noexcept { return source_; }
    const MoeConfig& config() const noexcept { return source_.config(); }
    void set_mask(ExpertMask mask);

    /// Rows of the embedding matrix. out: [tokens, hidden].
    /// @throws Error DataLine if an id is outside the vocabulary
    void embed(std::span<const std::int32_t> tokens, std::span<float> out) const;

    /// Adds layer `layer` to `hidden` [tokens, hidden], in place. The tokens stand at `position`
    /// and after it; the cache holds this layer's keys and values of those before.
    void run_layer(const Compute& compute, std::size_t layer, std::span<float> hidden,
                   LayerCache& cache, std::int64_t position, ForwardObserver* observer);

    /// Final norm and output matrix. logits: [rows, vocab].
    void run_head(const Compute& compute, std::span<const float> hidden, std::span<float> logits,
                  ForwardObserver* observer);

private:
    void normalise(const Compute& compute, std::span<const float> x, std::span<const float> weight,
                   std::span<float> out) const;
    void run_feed_forward(const Compute& compute, std::size_t layer, std::span<float> out,
                          ForwardObserver* observer);

    const ModelSource& source_;
    ExpertMask mask_;
    std::vector<LayerWeights> layers_;
    WeightMatrix embedding_;
    WeightMatrix output_;  ///< empty if tied
    std::vector<float> output_norm_;

    RopeTable rope_;
    Attention attention_;
    FeedForward feed_forward_;
    Activations rows_;  ///< normalised hidden states of the step at work
    Routing routing_;
    Scratch<float> normalised_;
    Scratch<float> router_logits_;
    Scratch<float> step_out_;
};

}  // namespace espalier
