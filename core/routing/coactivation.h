#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace espalier {

/// How often two experts of a layer are chosen for the same token; spec "routing fidelity" 2.5.
class Coactivation {
public:
    explicit Coactivation(std::size_t num_experts = 0);

    /// @param selected distinct experts of one token
    void add(std::span<const std::int32_t> selected);
    void merge(const Coactivation& other);

    /// C_ij for i != j: share of tokens that chose both.
    double share(std::size_t i, std::size_t j) const;
    /// How much more often than by chance: C_ij / (f_i f_j k^2); 0 if either is never chosen.
    double lift(std::size_t i, std::size_t j) const;
    /// Cosine of both models' C_ij over i < j; 1 if neither has a pair, 0 if one has none.
    static double cosine(const Coactivation& a, const Coactivation& b);

private:
    /// Place of the pair i < j in the triangle above the diagonal.
    std::size_t place(std::size_t i, std::size_t j) const;

    std::size_t num_experts_;
    std::int64_t tokens_ = 0;
    std::vector<std::uint32_t> pairs_;
    std::vector<std::int64_t> chosen_;  ///< [experts]
};

}  // namespace espalier
