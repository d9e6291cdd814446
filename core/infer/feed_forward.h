#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "infer/activations.h"
#include "infer/compute.h"
#include "infer/router.h"
#include "infer/scratch.h"
#include "infer/weights.h"
#include "model/forward_observer.h"

namespace espalier {

/// The feed-forward block of a layer, routed or dense. Tokens are grouped by expert, so that a
/// batch reads each expert's weights once. Keeps scratch memory; one object serves all layers.
class FeedForward {
public:
    explicit FeedForward(const MoeConfig& config) : experts_(config.experts) {}

    /// Sum over each token's experts of weight * expert(x), experts ascending. out: [tokens,
    /// hidden]. For an observer, one that watches parts, experts are computed one by one: slower on
    /// many threads, the same numbers.
    void forward_experts(const Compute& compute, LayerWeights& weights, const Activations& x,
                         const Routing& routing, std::span<float> out,
                         ForwardObserver* observer = nullptr);
    /// Adds the shared expert of a layer that has one, for the tokens of forward_experts().
    void add_shared(const Compute& compute, LayerWeights& weights, const Activations& x,
                    std::span<float> out, ForwardObserver* observer = nullptr);
    /// The layer's single MLP for every token. out: [tokens, hidden].
    void forward_dense(const Compute& compute, LayerWeights& weights, const Activations& x,
                       std::span<float> out, ForwardObserver* observer = nullptr);

private:
    /// Tokens of one expert: slots [first_slot, last_slot).
    struct Group {
        GatedMlpWeights* expert = nullptr;
        std::size_t first_slot = 0;
        std::size_t last_slot = 0;
    };
    /// A piece of one product: some weight rows of one group.
    struct Piece {
        const Group* group = nullptr;
        std::size_t first_row = 0;
        std::size_t last_row = 0;
    };

    void group_by_expert(LayerWeights& weights, const Routing& routing);
    void prepare_experts(const Compute& compute);
    void cut_into_pieces(const Compute& compute, std::size_t num_rows);
    void gate_and_up(const Compute& compute, const Activations& x, const ExpertConfig& config);
    void activate(const Piece& piece, const ExpertConfig& config, std::size_t slot);
    /// What constants give, in their slots.
    void fill_constants(std::span<float> slots_out) const;
    void down(const Compute& compute, std::span<float> slots_out);
    void combine(const Compute& compute, const Routing& routing, std::span<float> out);
    /// What one MLP gives the tokens in slot_token_. out: [slots, hidden].
    void run_mlp(const Compute& compute, GatedMlpWeights& mlp, const Activations& x,
                 const ExpertConfig& config, std::span<float> out);
    /// One MLP for all tokens.
    void run_single(const Compute& compute, GatedMlpWeights& mlp, const Activations& x,
                    std::span<float> out);
    void run_in_turn(const Compute& compute, LayerWeights& weights, const Activations& x,
                     const Routing& routing, std::span<float> out, ForwardObserver& observer);
    /// An expert on the tokens in slot_token_, as an observer sees it; valid until the next.
    ExpertRows run_expert(const Compute& compute, LayerWeights& weights, std::int64_t expert,
                          const Activations& x);

    const ExpertConfig& experts_;
    std::vector<Group> groups_;     ///< of experts with weights
    std::vector<Group> constants_;  ///< of experts that are constants
    std::vector<Piece> pieces_;
    std::vector<std::int32_t> slot_token_;  ///< row of x that a slot works on
    std::vector<std::int32_t> token_slot_;  ///< [tokens, top_k], as Routing::selected
    std::vector<std::int32_t> slot_rows_;   ///< 0, 1, …: slots as rows of inner_
    std::size_t num_tokens_ = 0;
    std::size_t width_ = 0;    ///< of the experts at work
    Scratch<float> gate_;      ///< [slots, width]
    Scratch<float> up_;        ///< [slots, width]
    Scratch<float> slot_out_;  ///< [slots, hidden]
    Scratch<float> scores_;    ///< [tokens]; logits of the shared expert's gate
    Activations inner_;
};

}  // namespace espalier
