#pragma once

#include <cstdint>
#include <span>

namespace espalier {

/// How evenly the selections of a layer spread over its experts; spec "routing fidelity" 2.3.
/// `load` sums to 1 and is [experts].
struct LoadShape {
    double entropy = 0;    ///< normalised: 1 = even, 0 = one expert takes all
    double variation = 0;  ///< standard deviation over mean
    double gini = 0;
    std::int64_t dead = 0;  ///< experts without any load
    std::int64_t rare = 0;  ///< experts below a tenth of an even share, the dead included
    bool operator==(const LoadShape&) const = default;
};

LoadShape load_shape(std::span<const double> load);

/// How likely two passes of `tokens` tokens each, with an expert as likely to be chosen in both,
/// give all of its `chosen` tokens to the first: C(tokens, chosen) / C(2 tokens, chosen), Fisher's
/// exact test. About 2^-chosen where the expert is rare.
double chance_of_none(std::int64_t chosen, std::int64_t tokens);

/// Half of the summed absolute differences of two distributions.
double total_variation(std::span<const double> p, std::span<const double> q);
/// KL(p || q) in nats; +infinity if q lacks mass where p has some.
double kl_divergence(std::span<const double> p, std::span<const double> q);
/// Jensen-Shannon divergence with equal weights, nats.
double js_divergence(std::span<const double> p, std::span<const double> q);
/// sqrt(JSD / ln 2), a metric in [0, 1].
double js_distance(std::span<const double> p, std::span<const double> q);

}  // namespace espalier
