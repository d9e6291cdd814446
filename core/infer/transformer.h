#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "infer/activations.h"
#include "infer/compute.h"
#include "infer/feed_forward.h"
#include "infer/layer_cache.h"
#include "infer/mixer.h"
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

    /// Rows of the embedding matrix, times the model's multiplier. out: [tokens, hidden].
    /// @throws Error DataLine if an id is outside the vocabulary
    void embed(std::span<const std::int32_t> tokens, std::span<float> out) const;

    /// Adds layer `layer` to `hidden` [tokens, hidden], in place. The tokens stand at `position`
    /// and after it; the cache is this layer's and knows those before.
    void run_layer(const Compute& compute, std::size_t layer, std::span<float> hidden,
                   LayerCache& cache, std::int64_t position, ForwardObserver* observer);

    /// The halves of run_layer(), for whoever runs one without the other: hidden += mixer(norm),
    /// and hidden += feed-forward(norm).
    void run_mixer(const Compute& compute, std::size_t layer, std::span<float> hidden,
                   LayerCache& cache, std::int64_t position, ForwardObserver* observer);
    void run_feed_forward(const Compute& compute, std::size_t layer, std::span<float> hidden,
                          ForwardObserver* observer);
    /// What a routed layer's experts give under a choice made elsewhere, for states that have the
    /// mixer behind them and are left alone; no shared expert. out: [tokens, hidden].
    void run_experts(const Compute& compute, std::size_t layer, std::span<const float> hidden,
                     const Routing& routing, std::span<float> out);

    /// Gives the memory of a layer's weights back: mapped pages and copies. The next run_layer()
    /// fetches them again.
    void release_layer(std::size_t layer);

    /// Final norm and output matrix. logits: [rows, vocab].
    void run_head(const Compute& compute, std::span<const float> hidden, std::span<float> logits,
                  ForwardObserver* observer);

private:
    void normalise(const Compute& compute, std::span<const float> x, std::span<const float> weight,
                   std::span<float> out) const;
    /// hidden += what mixer or feed-forward gave, times the model's multiplier.
    void add_to_residual(std::span<const float> x, std::span<float> hidden) const;
    /// By what the mask says of the layer.
    void scale_routed(std::size_t layer, std::span<float> out) const;
    /// Normalised states into rows_, for the feed-forward block.
    void prepare_feed_forward(const Compute& compute, std::size_t layer,
                              std::span<const float> hidden);
    void feed_forward(const Compute& compute, std::size_t layer, std::span<float> out,
                      ForwardObserver* observer);

    const ModelSource& source_;
    ExpertMask mask_;
    std::vector<LayerWeights> layers_;
    WeightMatrix embedding_;
    WeightMatrix output_;  ///< empty if tied
    std::vector<float> output_norm_;

    RopeTable rope_;
    Mixer mixer_;
    FeedForward feed_forward_;
    Activations rows_;  ///< normalised hidden states of the step at work
    Routing routing_;
    Scratch<float> normalised_;
    Scratch<float> router_logits_;
    Scratch<float> step_out_;
};

}  // namespace espalier
