#include "routing/fidelity.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "model/router_groups.h"

namespace espalier {
namespace {

constexpr float kGone = -std::numeric_limits<float>::infinity();

/// The distribution that a router's logits stand for: softmax, or sigmoids scaled to sum 1.
void distribution(std::span<const double> logits, RouterScoring scoring, std::span<double> probs) {
    const double largest = *std::max_element(logits.begin(), logits.end());
    double sum = 0.0;
    for (std::size_t i = 0; i < logits.size(); ++i) {
        probs[i] = scoring == RouterScoring::Softmax ? std::exp(logits[i] - largest)
                                                     : 1.0 / (1.0 + std::exp(-logits[i]));
        sum += probs[i];
    }
    for (double& p : probs) p /= sum;
}

std::size_t margin_bucket(double margin) {
    const auto* end = std::find_if(kMarginEnds.begin(), kMarginEnds.end(),
                                   [margin](double limit) { return margin < limit; });
    return static_cast<std::size_t>(end - kMarginEnds.begin());
}

void scale_to_one(std::vector<double>& values) {
    const double sum = std::accumulate(values.begin(), values.end(), 0.0);
    if (sum <= 0.0) return;
    for (double& value : values) value /= sum;
}

std::vector<double> shares(std::vector<double> counts) {
    scale_to_one(counts);
    return counts;
}

double entropy(std::span<const double> probs) {
    double sum = 0.0;
    for (const double p : probs) {
        if (p > 0.0) sum -= p * std::log(p);
    }
    return sum;
}

/// An expert that only the base chose is dead if that is less likely by chance, for any of a
/// layer's experts.
constexpr double kChanceOfDeath = 1e-3;

/// Sums over tokens that result() divides.
constexpr std::array kTokenMeans{&LayerFidelity::recall,
                                 &LayerFidelity::jaccard,
                                 &LayerFidelity::exact,
                                 &LayerFidelity::top1,
                                 &LayerFidelity::weighted_jaccard,
                                 &LayerFidelity::displaced,
                                 &LayerFidelity::lost_mass,
                                 &LayerFidelity::untouched,
                                 &LayerFidelity::restricted_kl,
                                 &LayerFidelity::restricted_js,
                                 &LayerFidelity::restricted_tv,
                                 &LayerFidelity::base_entropy,
                                 &LayerFidelity::router_entropy,
                                 &LayerFidelity::base_near_margin,
                                 &LayerFidelity::near_margin,
                                 &LayerFidelity::group_recall,
                                 &LayerFidelity::joined};

std::size_t strongest(const std::vector<double>& gates) {
    return static_cast<std::size_t>(std::max_element(gates.begin(), gates.end()) - gates.begin());
}

}  // namespace

FidelityAccumulator::FidelityAccumulator(FidelityScope scope)
    : scope_(std::move(scope)),
      kept_index_(static_cast<std::size_t>(scope_.router.num_experts), -1),
      base_pairs_(scope_.kept.size()),
      pairs_(scope_.kept.size()) {
    const std::size_t kept = scope_.kept.size();
    present_ = scope_.kept;
    is_mean_.assign(kept, false);
    for (const auto& [expert, position] : scope_.merged) {
        kept_index_[static_cast<std::size_t>(expert)] = position;
        present_.push_back(expert);
        is_mean_[static_cast<std::size_t>(position)] = true;
    }
    present_probs_.assign(present_.size(), 0.0);
    for (std::size_t i = 0; i < kept; ++i) {
        kept_index_[static_cast<std::size_t>(scope_.kept[i])] = static_cast<std::int32_t>(i);
    }
    for (auto* values :
         {&base_load_, &load_, &base_scores_, &base_probs_, &probs_, &base_gates_, &gates_}) {
        values->assign(kept, 0.0);
    }
}

bool FidelityAccumulator::add(const RoutedToken& token) {
    restrict_selection(token);
    add_groups(token);
    add_divergence(token);
    weigh_selection(token);
    const double exact_before = sum_.exact;
    add_overlap(token);
    add_removal(token);
    ++tokens_;
    return sum_.exact > exact_before;
}

// The scores as the base would see them with the removed experts masked: groups are judged by what
// is left of them, and only the best groups count.
void FidelityAccumulator::restrict_scores(const RoutedToken& token) {
    const auto scores = token.base_scores.empty() ? token.base_logits : token.base_scores;
    all_scores_.assign(scores.size(), kGone);
    for (const std::int32_t expert : present_) {
        const auto e = static_cast<std::size_t>(expert);
        all_scores_[e] = scores[e];
    }
    keep_best_groups(scope_.router, all_scores_);
    std::fill(base_scores_.begin(), base_scores_.end(), static_cast<double>(kGone));
    for (const std::int32_t expert : present_) {  // merged experts score as the best of them
        const auto e = static_cast<std::size_t>(expert);
        double& score = base_scores_[static_cast<std::size_t>(kept_index_[e])];
        score = std::max(score, static_cast<double>(all_scores_[e]));
    }
}

// A group counts as chosen if an expert of it may be chosen; both models' experts stand in the
// base's groups.
void FidelityAccumulator::add_groups(const RoutedToken& token) {
    const auto num_groups =
        static_cast<std::size_t>(std::max<std::int64_t>(scope_.router.num_groups, 1));
    if (num_groups == 1) {
        sum_.group_recall += 1.0;
        return;
    }
    current_scores_.assign(all_scores_.size(), kGone);
    const auto scores = token.scores.empty() ? token.logits : token.scores;
    for (std::size_t i = 0; i < scope_.kept.size(); ++i) {
        current_scores_[static_cast<std::size_t>(scope_.kept[i])] = scores[i];
    }
    keep_best_groups(scope_.router, current_scores_);
    const std::size_t size = all_scores_.size() / num_groups;
    const auto is_best = [size](const std::vector<float>& values, std::size_t group) {
        const auto* first = values.data() + group * size;
        return std::any_of(first, first + size,
                           [](float score) { return score > kOutsideBestGroups; });
    };
    double common = 0.0;
    double best = 0.0;
    for (std::size_t g = 0; g < num_groups; ++g) {
        if (!is_best(all_scores_, g)) continue;
        best += 1.0;
        common += is_best(current_scores_, g) ? 1.0 : 0.0;
    }
    sum_.group_recall += best > 0.0 ? common / best : 1.0;
}

// A^K: what is left of the base's own choice, filled up with its next best experts. Starting from
// the choice itself, not from the scores, keeps equal scores decided as the model decided them.
void FidelityAccumulator::restrict_selection(const RoutedToken& token) {
    restrict_scores(token);
    base_set_.clear();
    std::size_t joined = 0;
    for (const std::int32_t expert : token.base_selected) {
        if (all_scores_[static_cast<std::size_t>(expert)] <= kOutsideBestGroups) continue;
        const std::int32_t index = kept_index_[static_cast<std::size_t>(expert)];
        if (std::find(base_set_.begin(), base_set_.end(), index) == base_set_.end()) {
            base_set_.push_back(index);
        } else {
            ++joined;
        }
    }
    sum_.joined += joined > 0 ? 1.0 : 0.0;
    order_.clear();
    for (std::size_t i = 0; i < scope_.kept.size(); ++i) {
        const auto index = static_cast<std::int32_t>(i);
        if (std::find(base_set_.begin(), base_set_.end(), index) == base_set_.end())
            order_.push_back(index);
    }
    // Two that are one now were one choice less: nobody takes the place.
    const std::size_t wanted = std::min(token.selected.size() - joined, scope_.kept.size());
    const std::size_t missing = wanted > base_set_.size() ? wanted - base_set_.size() : 0;
    const std::size_t ranked = std::min(order_.size(), missing + 1);  // one more, for the margin
    std::partial_sort(order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(ranked),
                      order_.end(), [this](std::int32_t a, std::int32_t b) {
                          const double left = base_scores_[static_cast<std::size_t>(a)];
                          const double right = base_scores_[static_cast<std::size_t>(b)];
                          return left != right ? left > right : a < b;
                      });
    std::size_t next = 0;
    while (base_set_.size() < wanted) base_set_.push_back(order_[next++]);
    order_.erase(order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(next));
}

// Weights of both choices by position in kept, scaled to sum 1 so that routers which do not
// normalise compare as well. The restricted base has its probabilities over the kept experts.
void FidelityAccumulator::weigh_selection(const RoutedToken& token) {
    std::fill(base_gates_.begin(), base_gates_.end(), 0.0);
    std::fill(gates_.begin(), gates_.end(), 0.0);
    for (const std::int32_t index : base_set_) {
        const auto i = static_cast<std::size_t>(index);
        base_gates_[i] = base_probs_[i];
    }
    for (std::size_t i = 0; i < token.selected.size(); ++i) {
        gates_[static_cast<std::size_t>(token.selected[i])] = static_cast<double>(token.weights[i]);
    }
    scale_to_one(base_gates_);
    scale_to_one(gates_);
}

// The base's distribution over all that is left of it, summed up by group.
void FidelityAccumulator::add_group_probs(const RoutedToken& token) {
    for (std::size_t i = 0; i < present_.size(); ++i) {
        present_probs_[i] =
            static_cast<double>(token.base_logits[static_cast<std::size_t>(present_[i])]);
    }
    distribution(present_probs_, scope_.router.scoring, present_probs_);
    std::fill(base_probs_.begin(), base_probs_.end(), 0.0);
    for (std::size_t i = 0; i < present_.size(); ++i) {
        const auto index = kept_index_[static_cast<std::size_t>(present_[i])];
        base_probs_[static_cast<std::size_t>(index)] += present_probs_[i];
    }
}

void FidelityAccumulator::add_divergence(const RoutedToken& token) {
    add_group_probs(token);
    for (std::size_t i = 0; i < scope_.kept.size(); ++i) {
        probs_[i] = static_cast<double>(token.logits[i]);
    }
    distribution(probs_, scope_.router.scoring, probs_);
    sum_.restricted_kl += kl_divergence(base_probs_, probs_);
    sum_.restricted_js += js_divergence(base_probs_, probs_);
    sum_.restricted_tv += total_variation(base_probs_, probs_);
    sum_.base_entropy += entropy(base_probs_);
    sum_.router_entropy += entropy(probs_);
}

void FidelityAccumulator::add_overlap(const RoutedToken& token) {
    for (const std::int32_t index : token.selected) load_[static_cast<std::size_t>(index)] += 1.0;
    base_pairs_.add(base_set_);
    pairs_.add(token.selected);
    std::size_t common = 0;
    for (const std::int32_t index : base_set_) {
        base_load_[static_cast<std::size_t>(index)] += 1.0;
        common += std::count(token.selected.begin(), token.selected.end(), index) > 0 ? 1U : 0U;
    }
    const auto overlap = static_cast<double>(common);
    const auto united = static_cast<double>(base_set_.size() + token.selected.size() - common);
    const bool same = common == base_set_.size() && common == token.selected.size();
    sum_.recall += overlap / static_cast<double>(base_set_.size());
    sum_.jaccard += overlap / united;
    sum_.exact += same ? 1.0 : 0.0;
    sum_.top1 += strongest(base_gates_) == strongest(gates_) ? 1.0 : 0.0;
    double smaller = 0.0;
    double larger = 0.0;
    for (std::size_t i = 0; i < gates_.size(); ++i) {
        smaller += std::min(base_gates_[i], gates_[i]);
        larger += std::max(base_gates_[i], gates_[i]);
    }
    sum_.weighted_jaccard += larger > 0.0 ? smaller / larger : 1.0;
    add_margin(token, !same);
}

// The worst chosen score less the best one that is not; of routers with groups, within the best
// groups.
double FidelityAccumulator::current_margin(const RoutedToken& token) const {
    const auto scores = token.scores.empty() ? token.logits : token.scores;
    const bool has_groups = scope_.router.num_groups > 1;
    double last = std::numeric_limits<double>::infinity();
    double next = -std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < scores.size(); ++i) {
        const bool is_chosen = std::find(token.selected.begin(), token.selected.end(),
                                         static_cast<std::int32_t>(i)) != token.selected.end();
        const float score =
            has_groups ? current_scores_[static_cast<std::size_t>(scope_.kept[i])] : scores[i];
        if (is_chosen) {
            last = std::min(last, static_cast<double>(score));
        } else if (score > kOutsideBestGroups) {
            next = std::max(next, static_cast<double>(score));
        }
    }
    return last - next;
}

void FidelityAccumulator::add_margin(const RoutedToken& token, bool flipped) {
    sum_.near_margin += current_margin(token) < kNearMargin ? 1.0 : 0.0;
    // Every expert that could be is chosen: nothing can flip.
    if (order_.empty()) return;
    const double next = base_scores_[static_cast<std::size_t>(order_.front())];
    if (next <= static_cast<double>(kOutsideBestGroups)) return;
    double last = base_scores_[static_cast<std::size_t>(base_set_.front())];
    for (const std::int32_t index : base_set_) {
        last = std::min(last, base_scores_[static_cast<std::size_t>(index)]);
    }
    sum_.base_near_margin += last - next < kNearMargin ? 1.0 : 0.0;
    const std::size_t bucket = margin_bucket(last - next);
    sum_.margin_tokens[bucket] += 1;
    sum_.margin_flips[bucket] += flipped ? 1 : 0;
}

void FidelityAccumulator::add_removal(const RoutedToken& token) {
    double gone = 0.0;
    bool is_changed = false;
    for (std::size_t i = 0; i < token.base_selected.size(); ++i) {
        const auto index = kept_index_[static_cast<std::size_t>(token.base_selected[i])];
        is_changed = is_changed || index < 0 || is_mean_[static_cast<std::size_t>(index)];
        if (index >= 0) continue;
        gone += 1.0;
        sum_.lost_mass += static_cast<double>(token.base_weights[i]);
    }
    sum_.displaced += gone / static_cast<double>(token.base_selected.size());
    sum_.untouched += is_changed ? 0.0 : 1.0;
}

void FidelityAccumulator::merge(const FidelityAccumulator& other) {
    for (const auto member : kTokenMeans) sum_.*member += other.sum_.*member;
    for (std::size_t b = 0; b < kNumMarginBuckets; ++b) {
        sum_.margin_tokens[b] += other.sum_.margin_tokens[b];
        sum_.margin_flips[b] += other.sum_.margin_flips[b];
    }
    for (std::size_t i = 0; i < load_.size(); ++i) {
        load_[i] += other.load_[i];
        base_load_[i] += other.base_load_[i];
    }
    base_pairs_.merge(other.base_pairs_);
    pairs_.merge(other.pairs_);
    tokens_ += other.tokens_;
}

LayerFidelity FidelityAccumulator::result() const {
    LayerFidelity mean = sum_;
    mean.layer = scope_.layer;
    mean.tokens = tokens_;
    if (tokens_ == 0) return mean;
    for (const auto member : kTokenMeans) mean.*member /= static_cast<double>(tokens_);
    if (scope_.router.num_groups <= 1) mean.group_recall = 1.0;
    mean.base_load = shares(base_load_);
    mean.load = shares(load_);
    const std::vector<double>& base = mean.base_load;
    const std::vector<double>& current = mean.load;
    mean.base_shape = load_shape(base);
    mean.shape = load_shape(current);
    mean.coactivation = Coactivation::cosine(base_pairs_, pairs_);
    mean.load_tv = total_variation(base, current);
    mean.load_distance = js_distance(base, current);
    mean.entropy_change = mean.shape.entropy - mean.base_shape.entropy;
    std::int64_t sure = 0;
    const double chance = kChanceOfDeath / static_cast<double>(base.size());
    for (std::size_t i = 0; i < base.size(); ++i) {
        const bool is_new = base[i] > 0.0 && current[i] <= 0.0;
        mean.new_dead += is_new ? 1 : 0;
        const auto chosen = static_cast<std::int64_t>(base_load_[i]);
        sure += is_new && chance_of_none(chosen, tokens_) < chance ? 1 : 0;
    }
    mean.new_dead_share = static_cast<double>(sure) / static_cast<double>(base.size());
    return mean;
}

}  // namespace espalier
