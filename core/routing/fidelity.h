#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "model/moe_config.h"
#include "routing/coactivation.h"
#include "routing/expert_load.h"

namespace espalier {

/// Upper ends of the margin buckets, in selection space; the last bucket has no end.
inline constexpr std::array kMarginEnds{0.01, 0.05, 0.2, 1.0};
inline constexpr std::size_t kNumMarginBuckets = kMarginEnds.size() + 1;

/// A choice whose margin is smaller than this is a near tie (spec 2.4, in selection space).
inline constexpr double kNearMargin = 0.05;

/// Selection overlap between the base model (restricted to the experts that remain) and the current
/// one, for one layer, in original expert ids; spec "routing fidelity" 2 and 4.
struct LayerFidelity {
    std::int64_t layer = 0;
    std::int64_t tokens = 0;
    double recall = 0;  ///< share of the restricted base selection that is still made
    double jaccard = 0;
    double exact = 0;             ///< share of tokens with the same set
    double top1 = 0;              ///< share of tokens whose strongest expert is the same
    double weighted_jaccard = 0;  ///< of the router weights, each token's scaled to sum 1
    double displaced = 0;         ///< share of base selections that no longer exist
    double lost_mass = 0;         ///< gate mass of those
    double untouched = 0;         ///< share of tokens whose base selection is whole
    double joined = 0;            ///< share of tokens that chose two experts that are one now
    double load_tv = 0;           ///< total variation of expert load
    double load_distance = 0;     ///< Jensen-Shannon distance of expert load, in [0, 1]
    double entropy_change = 0;    ///< normalised entropy of the load, current minus base
    std::int64_t new_dead = 0;    ///< experts that only the base uses
    double new_dead_share = 0;    ///< of those that remain; not explained by so few tokens
    double restricted_kl = 0;     ///< nats, KL(base restricted || current)
    double restricted_js = 0;     ///< nats
    double restricted_tv = 0;
    double base_entropy = 0;      ///< mean entropy of the restricted base router, nats
    double router_entropy = 0;    ///< of the current one
    double base_near_margin = 0;  ///< share of tokens whose choice is a near tie, restricted base
    double near_margin = 0;       ///< current
    double coactivation = 0;      ///< cosine of how often pairs of experts are chosen together
    double group_recall = 0;  ///< share of the base's groups that are still best; 1 without groups
    LoadShape base_shape;     ///< of the restricted base's load
    LoadShape shape;          ///< of the current load
    std::vector<double> base_load;  ///< [kept] shares of selections, restricted base
    std::vector<double> load;       ///< [kept], current
    // With the base's own input of the layer, so that only this layer's change counts; and what the
    // routed experts give. Only where both models ran side by side.
    bool has_outputs = false;
    double local_recall = 0;
    double local_exact = 0;
    double local_kl = 0;  ///< nats, restricted base || current
    double local_output_cosine = 0;
    double local_output_error = 0;  ///< squared, relative to the base's output
    double output_cosine = 0;       ///< end to end
    double output_error = 0;
    double lost_output = 0;  ///< norm of what removed experts gave, relative to the whole output
    /// By the restricted base's margin (score of rank k minus rank k + 1): tokens, and those of
    /// them whose selection changed.
    std::array<std::int64_t, kNumMarginBuckets> margin_tokens{};
    std::array<std::int64_t, kNumMarginBuckets> margin_flips{};
    bool operator==(const LayerFidelity&) const = default;
};

/// What is compared in one layer.
struct FidelityScope {
    std::int64_t layer = 0;
    RouterConfig router;             ///< of the base model
    std::vector<std::int32_t> kept;  ///< base ids, ascending; all of them if nothing was removed
    /// Base ids that were merged into a kept one, and its position: the base's mass of all of them
    /// is the group's, and a choice of any is a choice of the group.
    std::vector<std::pair<std::int32_t, std::int32_t>> merged = {};
};

/// One token in both models.
struct RoutedToken {
    std::span<const float> base_logits;           ///< [experts], base numbering
    std::span<const std::int32_t> base_selected;  ///< [k]
    std::span<const float> base_weights;          ///< [k], the gates of those
    std::span<const float> logits;                ///< [kept]
    std::span<const std::int32_t> selected;       ///< [k], positions in `kept`
    std::span<const float> weights;               ///< [k]
    /// What the base takes its top-k of, if not the logits (a selection bias, groups): [experts],
    /// before any group is left out.
    std::span<const float> base_scores = {};
    std::span<const float> scores = {};  ///< the same of the current model: [kept]
};

/// Accumulates the above token by token, in double.
class FidelityAccumulator {
public:
    explicit FidelityAccumulator(FidelityScope scope);

    /// Says whether both chose the same experts.
    bool add(const RoutedToken& token);
    /// Adds the tokens of another accumulator of the same scope.
    void merge(const FidelityAccumulator& other);
    LayerFidelity result() const;

private:
    void restrict_selection(const RoutedToken& token);
    void add_group_probs(const RoutedToken& token);
    void restrict_scores(const RoutedToken& token);
    void add_groups(const RoutedToken& token);
    void weigh_selection(const RoutedToken& token);
    void add_overlap(const RoutedToken& token);
    void add_removal(const RoutedToken& token);
    void add_divergence(const RoutedToken& token);
    void add_margin(const RoutedToken& token, bool flipped);
    double current_margin(const RoutedToken& token) const;

    FidelityScope scope_;
    std::vector<std::int32_t> kept_index_;  ///< [experts], -1 = removed
    std::vector<std::int32_t> present_;     ///< base ids of all that are kept or merged
    std::vector<bool> is_mean_;             ///< [kept]: others were merged into it
    std::int64_t tokens_ = 0;
    LayerFidelity sum_;
    std::vector<double> base_load_;  ///< [kept], selections
    std::vector<double> load_;
    Coactivation base_pairs_, pairs_;
    // The token at hand, by position in kept.
    std::vector<float> all_scores_;  ///< [experts], lowest or -inf for what the base cannot choose
    std::vector<double> base_scores_, present_probs_, base_probs_, probs_, base_gates_, gates_;
    std::vector<std::int32_t> base_set_, order_;
    std::vector<float> current_scores_;  ///< [experts], for routers with groups
};

}  // namespace espalier
