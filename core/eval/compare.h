#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>
#include <vector>

#include "eval/expert_alignment.h"
#include "eval/layer_comparison.h"
#include "eval/perplexity.h"
#include "infer/native_model.h"
#include "model/expert_mask.h"
#include "routing/fidelity.h"

namespace espalier {

/// KL(reference || model) of next-token distributions and routing overlap on the same scored
/// positions.
struct Comparison {
    double kl_mean = 0;  ///< nats
    double kl_median = 0;
    double kl_p999 = 0;  ///< 99.9th percentile
    double kl_max = 0;
    double top1 = 0;  ///< share of positions with the same best token
    double model_perplexity = 0;
    double reference_perplexity = 0;
    std::int64_t tokens = 0;
    /// Share of positions where any layer chooses other experts. Near 1 for harmless changes too.
    double flip_any = 0;
    std::vector<LayerFidelity> routing;  ///< empty if it cannot be compared, see align_experts()
};

struct ComparisonInput {
    NativeModel& reference;
    NativeModel& model;
    /// [layer][expert]: the reference's id of each of the model's experts; empty = the same
    /// experts. A row shorter than the model's number of experts lists the ids that a mask left.
    std::vector<std::vector<std::int32_t>> expert_map;
    std::span<const std::int32_t> ids;
    PerplexityOptions options;
    ExpertMask mask = {};       ///< what the model was told by set_mask()
    MergedExperts merged = {};  ///< into the model's experts, in ids of the base
    /// The base's id of each of the reference's experts; counts where experts were merged.
    std::vector<std::vector<std::int32_t>> reference_map = {};
    bool compares_routing = true;
    /// For both models' hidden states: as many windows go through the layers together as fit, but
    /// at least one.
    std::uint64_t memory_bytes = std::uint64_t{1} << 29;
    /// The models are larger than memory: layers are given back once they have been used.
    bool streams_layers = false;
};

/// Sums over texts of what a Comparison says, so that several can be told apart and together.
class ComparisonSums {
public:
    ComparisonSums(const MoeConfig& reference, const std::vector<LayerAlignment>& layers);

    void add_token(double kl, double model_nll, double reference_nll, bool same_best);
    /// @param any_flip over all layers, of one position
    void add_flip(bool any_flip) { flips_ += any_flip ? 1 : 0; }
    std::vector<LayerComparison>& layers() noexcept { return routing_; }
    void merge(const ComparisonSums& other);
    Comparison result() const;

private:
    std::vector<float> kl_;  ///< one a token, for percentiles; 4 MB for a million
    double model_nll_ = 0;
    double reference_nll_ = 0;
    std::int64_t same_best_ = 0;
    std::int64_t flips_ = 0;
    std::vector<LayerComparison> routing_;
};

/// Told the share that is done.
using CompareProgress = std::function<void(double fraction)>;

/// Both models side by side over the windows of perplexity(), layer by layer. The work on logits is
/// shared out by rows; sums are taken in the order of the tokens, so that the number of threads
/// changes nothing.
/// @throws Error RunRecipe if the models cannot be compared, DataEmpty, NumberInvalid
ComparisonSums compare_sums(const ComparisonInput& input, const CompareProgress& progress = {},
                            std::stop_token stop = {});
Comparison compare_models(const ComparisonInput& input, const CompareProgress& progress = {},
                          std::stop_token stop = {});

}  // namespace espalier
