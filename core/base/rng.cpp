#include "base/rng.h"

#include <bit>
#include <cmath>
#include <numbers>

namespace espalier {
namespace {

std::uint64_t split_mix(std::uint64_t& state) {
    std::uint64_t z = (state += 0x9E3779B97F4A7C15ULL);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
}

std::uint64_t fnv1a(std::string_view text) {
    std::uint64_t hash = 0xCBF29CE484222325ULL;
    for (const char c : text) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
    }
    return hash;
}

}  // namespace

Rng::Rng(std::uint64_t seed) : seed_(seed), state_{} {
    for (auto& word : state_) word = split_mix(seed);
}

Rng Rng::stream(std::string_view name) const {
    std::uint64_t mixed = seed_ ^ fnv1a(name);
    return Rng(split_mix(mixed));
}

std::uint64_t Rng::next() {
    const std::uint64_t result = std::rotl(state_[0] + state_[3], 23) + state_[0];
    const std::uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = std::rotl(state_[3], 45);
    return result;
}

double Rng::uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

std::uint64_t Rng::below(std::uint64_t bound) {
    const std::uint64_t threshold =
        (0 - bound) % bound;  // 2^64 mod bound: draws below it are biased
    std::uint64_t draw = next();
    while (draw < threshold) draw = next();
    return draw % bound;
}

double Rng::normal() {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
    return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

}  // namespace espalier
