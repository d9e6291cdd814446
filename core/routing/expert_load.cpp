#include "routing/expert_load.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <vector>

namespace espalier {
namespace {

double gini(std::span<const double> load, double mean) {
    std::vector<double> sorted(load.begin(), load.end());
    std::sort(sorted.begin(), sorted.end());
    // The sum of |f_i - f_j| over all pairs, from the sorted values: each counts once for every
    // value below it and against every value above it, in both orders.
    const auto n = static_cast<double>(sorted.size());
    double differences = 0.0;
    for (std::size_t i = 0; i < sorted.size(); ++i) {
        differences += 2.0 * sorted[i] * (2.0 * static_cast<double>(i) + 1.0 - n);
    }
    return differences / (2.0 * n * n * mean);
}

}  // namespace

LoadShape load_shape(std::span<const double> load) {
    LoadShape shape;
    const auto n = static_cast<double>(load.size());
    const double total = std::accumulate(load.begin(), load.end(), 0.0);
    if (load.empty() || total <= 0.0) return shape;
    const double mean = total / n;
    double entropy = 0.0;
    double squares = 0.0;
    for (const double share : load) {
        if (share > 0.0) entropy -= share * std::log(share);
        squares += (share - mean) * (share - mean);
        shape.dead += share <= 0.0 ? 1 : 0;
        shape.rare += share < 0.1 / n ? 1 : 0;
    }
    shape.entropy = load.size() > 1 ? entropy / std::log(n) : 1.0;
    shape.variation = std::sqrt(squares / n) / mean;
    shape.gini = gini(load, mean);
    return shape;
}

double chance_of_none(std::int64_t chosen, std::int64_t tokens) {
    double chance = 1.0;
    for (std::int64_t i = 0; i < chosen; ++i) {
        chance *= static_cast<double>(tokens - i) / static_cast<double>(2 * tokens - i);
    }
    return chance;
}

double total_variation(std::span<const double> p, std::span<const double> q) {
    double sum = 0.0;
    for (std::size_t i = 0; i < p.size(); ++i) sum += std::abs(p[i] - q[i]);
    return 0.5 * sum;
}

double kl_divergence(std::span<const double> p, std::span<const double> q) {
    double sum = 0.0;
    for (std::size_t i = 0; i < p.size(); ++i) {
        if (p[i] <= 0.0) continue;
        if (q[i] <= 0.0) return std::numeric_limits<double>::infinity();
        sum += p[i] * std::log(p[i] / q[i]);
    }
    return sum;
}

double js_divergence(std::span<const double> p, std::span<const double> q) {
    double sum = 0.0;
    for (std::size_t i = 0; i < p.size(); ++i) {
        const double middle = 0.5 * (p[i] + q[i]);
        if (p[i] > 0.0) sum += 0.5 * p[i] * std::log(p[i] / middle);
        if (q[i] > 0.0) sum += 0.5 * q[i] * std::log(q[i] / middle);
    }
    return sum;
}

double js_distance(std::span<const double> p, std::span<const double> q) {
    return std::sqrt(std::max(0.0, js_divergence(p, q)) / std::numbers::ln2);
}

}  // namespace espalier
