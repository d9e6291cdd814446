#include "routing/coactivation.h"

#include <cmath>
#include <utility>

namespace espalier {

Coactivation::Coactivation(std::size_t num_experts)
    : num_experts_(num_experts),
      pairs_(num_experts < 2 ? 0 : num_experts * (num_experts - 1) / 2),
      chosen_(num_experts) {}

std::size_t Coactivation::place(std::size_t i, std::size_t j) const {
    if (i > j) std::swap(i, j);
    return i * (2 * num_experts_ - i - 1) / 2 + (j - i - 1);
}

void Coactivation::add(std::span<const std::int32_t> selected) {
    ++tokens_;
    for (std::size_t a = 0; a < selected.size(); ++a) {
        const auto i = static_cast<std::size_t>(selected[a]);
        ++chosen_[i];
        for (std::size_t b = a + 1; b < selected.size(); ++b) {
            ++pairs_[place(i, static_cast<std::size_t>(selected[b]))];
        }
    }
}

void Coactivation::merge(const Coactivation& other) {
    tokens_ += other.tokens_;
    for (std::size_t i = 0; i < pairs_.size(); ++i) pairs_[i] += other.pairs_[i];
    for (std::size_t i = 0; i < chosen_.size(); ++i) chosen_[i] += other.chosen_[i];
}

double Coactivation::share(std::size_t i, std::size_t j) const {
    return tokens_ == 0 ? 0.0
                        : static_cast<double>(pairs_[place(i, j)]) / static_cast<double>(tokens_);
}

// f_i k is the share of tokens that chose i.
double Coactivation::lift(std::size_t i, std::size_t j) const {
    const double chance = static_cast<double>(chosen_[i]) * static_cast<double>(chosen_[j]);
    if (chance <= 0.0) return 0.0;
    return share(i, j) * static_cast<double>(tokens_) * static_cast<double>(tokens_) / chance;
}

double Coactivation::cosine(const Coactivation& a, const Coactivation& b) {
    double product = 0.0;
    double left = 0.0;
    double right = 0.0;
    for (std::size_t i = 0; i < a.pairs_.size(); ++i) {
        const auto x = static_cast<double>(a.pairs_[i]);
        const auto y = static_cast<double>(b.pairs_[i]);
        product += x * y;
        left += x * x;
        right += y * y;
    }
    if (left <= 0.0 && right <= 0.0) return 1.0;
    if (left <= 0.0 || right <= 0.0) return 0.0;
    return product / std::sqrt(left * right);
}

}  // namespace espalier
