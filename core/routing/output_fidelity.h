#pragma once

#include <cstdint>
#include <span>

namespace espalier {

/// Whether a layer computes the same thing, however it routes; spec "routing fidelity" 2.6. Sums
/// over tokens, in double.
class OutputFidelity {
public:
    /// What the routed experts of both models give for one token: [hidden] each.
    void add(std::span<const float> base, std::span<const float> current);
    void merge(const OutputFidelity& other);

    double cosine() const;            ///< mean over tokens; of two zero vectors 1
    double normalised_error() const;  ///< summed squared difference over the base's summed squares
    std::int64_t tokens() const noexcept { return tokens_; }

private:
    std::int64_t tokens_ = 0;
    double cosine_ = 0;
    double error_ = 0;
    double energy_ = 0;
};

/// ||lost|| / ||whole||; 0 if the whole is nothing.
double norm_ratio(std::span<const float> lost, std::span<const float> whole);

}  // namespace espalier
