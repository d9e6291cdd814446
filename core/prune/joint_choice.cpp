#include "prune/joint_choice.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <utility>

#include "prune/expert_sets.h"
#include "prune/rank_experts.h"

namespace espalier {
namespace {

/// Exchanges by less than this part are rounding.
constexpr double kLeastGain = 1e-12;

using Pair = std::pair<std::int32_t, std::int32_t>;

/// Calls visit(out, in) for every pair that may be exchanged, in ascending order.
template <typename Visit>
void for_each_exchange(const LayerSelection& selection, std::size_t num_experts,
                       const Visit& visit) {
    for (const std::int32_t out : selection.chosen()) {
        for (std::size_t in = 0; in < num_experts; ++in) {
            const auto id = static_cast<std::int32_t>(in);
            if (selection.may_exchange(out, id)) visit(out, id);
        }
    }
}

/// Least and total share of the tasks; a choice is better if the least is larger, then the total.
struct Kept {
    double least = 0;
    double total = 0;

    bool is_better_than(const Kept& other) const {
        if (least > other.least + kLeastGain) return true;
        return least > other.least - kLeastGain && total > other.total + kLeastGain;
    }
};

Kept kept_with(const std::vector<double>& now, const TaskShares& shares, std::int32_t in,
               std::optional<std::int32_t> out = std::nullopt) {
    Kept kept{.least = 2.0, .total = 0.0};
    for (std::size_t task = 0; task < now.size(); ++task) {
        double share = now[task] + shares[task][static_cast<std::size_t>(in)];
        if (out) share -= shares[task][static_cast<std::size_t>(*out)];
        kept.least = std::min(kept.least, share);
        kept.total += share;
    }
    return kept;
}

void add_expert(std::vector<double>& now, const TaskShares& shares, std::int32_t expert,
                double sign) {
    for (std::size_t task = 0; task < now.size(); ++task) {
        now[task] += sign * shares[task][static_cast<std::size_t>(expert)];
    }
}

std::vector<double> kept_now(const LayerSelection& selection, const TaskShares& shares) {
    std::vector<double> now(shares.size(), 0.0);
    for (const std::int32_t id : selection.chosen()) add_expert(now, shares, id, 1);
    return now;
}

Kept kept_of(const std::vector<double>& now) {
    return {.least = *std::min_element(now.begin(), now.end()),
            .total = std::accumulate(now.begin(), now.end(), 0.0)};
}

/// Fills the selection by the weighted sum of the tasks.
void fill_by_weight(LayerSelection& selection, const TaskShares& shares,
                    const std::vector<double>& weights) {
    std::vector<double> scores(shares.front().size(), 0.0);
    for (std::size_t task = 0; task < shares.size(); ++task) {
        for (std::size_t e = 0; e < scores.size(); ++e) {
            scores[e] += weights[task] * shares[task][e];
        }
    }
    const std::vector<std::int64_t> no_counts(scores.size(), 0);
    for (const std::int32_t id : rank_experts(scores, no_counts)) selection.prefer(id);
}

/// Exchanges pairs while the choice gets better.
void exchange_pairs(LayerSelection& selection, const TaskShares& shares) {
    std::vector<double> now = kept_now(selection, shares);
    const std::size_t experts = shares.front().size();
    for (std::size_t swaps = 0; swaps < 2 * experts; ++swaps) {
        std::optional<Pair> best;
        Kept best_kept = kept_of(now);
        for_each_exchange(selection, experts, [&](std::int32_t out, std::int32_t in) {
            const Kept kept = kept_with(now, shares, in, out);
            if (!kept.is_better_than(best_kept)) return;
            best_kept = kept;
            best = Pair{out, in};
        });
        if (!best) return;
        selection.exchange(best->first, best->second);
        add_expert(now, shares, best->first, -1);
        add_expert(now, shares, best->second, 1);
    }
}

}  // namespace

double joint_energy(std::span<const double> gram, std::span<const std::int32_t> removed) {
    std::size_t experts = 0;
    while (experts * experts < gram.size()) ++experts;
    double sum = 0;
    for (const std::int32_t i : removed) {
        for (const std::int32_t j : removed) {
            sum += gram[static_cast<std::size_t>(i) * experts + static_cast<std::size_t>(j)];
        }
    }
    return sum;
}

void lower_joint_energy(LayerSelection& selection, std::span<const double> gram) {
    std::size_t experts = 0;
    while (experts * experts < gram.size()) ++experts;
    const auto f = [&](std::int32_t i, std::int32_t j) {
        return gram[static_cast<std::size_t>(i) * experts + static_cast<std::size_t>(j)];
    };
    const ExpertIds kept(selection.chosen().begin(), selection.chosen().end());
    std::vector<double> with_removed(experts, 0.0);  // sum of F_xp over all p that go
    for (const std::int32_t p : removed_experts(kept, experts)) {
        for (std::size_t x = 0; x < experts; ++x) {
            with_removed[x] += f(static_cast<std::int32_t>(x), p);
        }
    }
    double scale = 0;
    for (std::size_t e = 0; e < experts; ++e) scale += gram[e * experts + e];
    for (std::size_t swaps = 0; swaps < 2 * experts; ++swaps) {
        std::optional<Pair> best;
        double best_change = -kLeastGain * scale;
        for_each_exchange(selection, experts, [&](std::int32_t out, std::int32_t in) {
            // `out` joins those that go, `in` leaves them.
            const double change = f(in, in) - 2 * with_removed[static_cast<std::size_t>(in)] +
                                  f(out, out) + 2 * with_removed[static_cast<std::size_t>(out)] -
                                  2 * f(in, out);
            if (change >= best_change) return;
            best_change = change;
            best = Pair{out, in};
        });
        if (!best) return;
        const auto [out, in] = *best;
        selection.exchange(out, in);
        for (std::size_t x = 0; x < experts; ++x) {
            const auto id = static_cast<std::int32_t>(x);
            with_removed[x] += f(id, out) - f(id, in);
        }
    }
}

double lowest_task_share(const TaskShares& shares, std::span<const std::int32_t> kept) {
    double lowest = 1.0;
    for (const auto& task : shares) {
        double share = 0;
        for (const std::int32_t id : kept) share += task[static_cast<std::size_t>(id)];
        lowest = std::min(lowest, share);
    }
    return lowest;
}

void raise_lowest_task(LayerSelection& selection, const TaskShares& shares) {
    if (shares.empty()) return;
    // A game between the choice and the tasks' weights: who keeps little weighs more the next time.
    // The weights settle where no fractional choice is better.
    constexpr int kRounds = 256;
    constexpr double kRate = 4.0;
    const LayerSelection start = selection;
    std::vector<double> weights(shares.size(), 1.0);
    std::optional<Kept> best;
    for (int round = 0; round < kRounds; ++round) {
        LayerSelection attempt = start;
        fill_by_weight(attempt, shares, weights);
        const std::vector<double> now = kept_now(attempt, shares);
        const Kept kept = kept_of(now);
        if (!best || kept.is_better_than(*best)) {
            best = kept;
            selection.become(attempt);
        }
        const double rate = kRate / std::sqrt(1.0 + round);
        double total = 0;
        for (std::size_t task = 0; task < weights.size(); ++task) {
            weights[task] *= std::exp(-rate * (now[task] - kept.least));
            total += weights[task];
        }
        for (double& weight : weights) weight /= total;
    }
    exchange_pairs(selection, shares);
}

}  // namespace espalier
