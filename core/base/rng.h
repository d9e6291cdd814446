#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

namespace espalier {

/// Seeded random numbers that are the same on every platform (xoshiro256++, seeded by SplitMix64).
/// One run has one seed; every consumer takes its own stream by name, so that adding a consumer
/// changes nobody else's numbers.
class Rng {
public:
    explicit Rng(std::uint64_t seed);

    /// An independent generator for `name`; does not advance this one.
    Rng stream(std::string_view name) const;

    std::uint64_t next();
    /// In [0, 1), 53 bits.
    double uniform();
    /// In [0, bound), without bias; bound > 0.
    std::uint64_t below(std::uint64_t bound);
    /// Standard normal (Box-Muller, one value a call).
    double normal();

    /// Fisher-Yates.
    template <typename T>
    void shuffle(std::span<T> items) {
        for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
    }

private:
    std::uint64_t seed_;
    std::array<std::uint64_t, 4> state_;
};

}  // namespace espalier
