#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace espalier {

/// Selection overlap between the base model (restricted to the experts that remain) and the current one,
/// for one layer, in original expert ids; spec "routing fidelity" 2 and 4.
struct LayerFidelity {
    std::int64_t layer = 0;
    double recall = 0;      ///< share of the restricted base selection that is still made
    double jaccard = 0;
    double exact = 0;       ///< share of tokens with the same set
    double displaced = 0;   ///< share of base selections that no longer exist
    double lost_mass = 0;   ///< gate mass of those
    double untouched = 0;   ///< share of tokens whose base selection is whole
    double load_tv = 0;     ///< total variation of expert load
    double restricted_kl = 0;  ///< nats, KL(base restricted || current)
    bool operator==(const LayerFidelity&) const = default;
};

/// Accumulates the above token by token.
class FidelityAccumulator {
public:
    /// @param kept original ids, ascending; all experts if nothing was removed
    FidelityAccumulator(std::int64_t layer, std::int64_t num_experts, std::vector<std::int32_t> kept);

    /// @param base_logits [experts], original numbering
    /// @param base_selected, base_weights the base model's choice
    /// @param logits [kept], @param selected positions in `kept`
    void add(std::span<const float> base_logits, std::span<const std::int32_t> base_selected,
             std::span<const float> base_weights, std::span<const float> logits,
             std::span<const std::int32_t> selected);
    LayerFidelity result() const;

private:
    std::int64_t layer_;
    std::int64_t num_experts_;
    std::vector<std::int32_t> kept_;
    std::vector<std::int32_t> new_of_original_;  ///< -1 = removed
    std::int64_t tokens_ = 0;
    LayerFidelity sum_;
    std::vector<double> base_load_;
    std::vector<double> load_;
};

}  // namespace espalier
