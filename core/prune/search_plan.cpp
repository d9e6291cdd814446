#include "prune/search_plan.h"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "base/error.h"

namespace espalier {
namespace {

/// Candidates this much worse than the best have no layer worth a try.
constexpr double kWorthTrying = 2.0;
/// Experts on either side of the cut that are tried first; each round doubles it.
constexpr std::size_t kFirstReach = 4;

bool contains(const std::vector<std::int32_t>& ids, std::int32_t id) {
    return std::find(ids.begin(), ids.end(), id) != ids.end();
}

std::vector<std::int32_t> with(std::vector<std::int32_t> ids, std::int32_t id) {
    ids.insert(std::lower_bound(ids.begin(), ids.end(), id), id);
    return ids;
}

std::vector<std::int32_t> without(std::vector<std::int32_t> ids, std::int32_t id) {
    ids.erase(std::lower_bound(ids.begin(), ids.end(), id));
    return ids;
}

struct TriedExpert {
    std::int32_t expert = 0;
    double change = 0;  ///< of the cost
};

void sort_by_change(std::vector<TriedExpert>& tried) {
    std::stable_sort(tried.begin(), tried.end(), [](const TriedExpert& a, const TriedExpert& b) {
        return a.change < b.change;
    });
}

struct TriedLayer {
    std::int64_t layer = 0;
    std::vector<TriedExpert> gains;   ///< by experts that come back
    std::vector<TriedExpert> losses;  ///< by experts that go
};

/// One expert comes back, another goes.
struct Exchange {
    std::int64_t layer = 0;  ///< where one comes back
    std::int32_t back = 0;
    std::int64_t gone_layer = 0;  ///< where one goes
    std::int32_t gone = 0;
    double change = 0;  ///< expected, of the cost
};

/// Another choice for a whole layer.
struct LayerChoice {
    std::int64_t layer = 0;
    std::vector<std::int32_t> experts;
    double change = 0;  ///< expected, of the cost
};

class Search {
public:
    explicit Search(const SearchProblem& problem) : problem_(problem) {}

    SearchResult run() {
        start_from_the_best_candidate();
        order_experts();
        take_layers_over();
        exchange_experts();
        result_.kept = kept_;
        result_.cost = cost_;
        return std::move(result_);
    }

private:
    bool may_go_on() const { return problem_.may_go_on(); }
    /// @return whether it is the best so far, and now the choice
    bool accept(const KeptExperts& trial) {
        const double cost = problem_.measure(trial);
        if (cost >= cost_) return false;
        cost_ = cost;
        kept_ = trial;
        if (problem_.settle) problem_.settle(kept_);
        if (problem_.progress) problem_.progress(cost_);
        return true;
    }
    KeptExperts changed(std::int64_t layer, std::vector<std::int32_t> experts) const {
        KeptExperts trial = kept_;
        trial[layer] = std::move(experts);
        return trial;
    }

    void start_from_the_best_candidate() {
        if (problem_.candidates.empty()) {
            throw Error(ErrorCode::RunRecipe, "There is no ranking of the experts to start from.",
                        "Name at least one criterion.");
        }
        for (const SearchCandidate& candidate : problem_.candidates) {
            const double cost = problem_.measure(candidate.kept);
            result_.candidates.push_back({candidate.criterion, cost});
            if (cost >= cost_) continue;
            cost_ = cost;
            kept_ = candidate.kept;
            result_.start = result_.candidates.size() - 1;
            if (problem_.progress) problem_.progress(cost_);
        }
        if (problem_.settle) problem_.settle(kept_);
    }

    /// Mean place over the candidates' orders: who is near the cut.
    void order_experts() {
        const auto experts = static_cast<std::size_t>(problem_.limits.num_experts);
        for (const auto& [layer, kept] : kept_) {
            std::vector<std::size_t> place(experts, 0);
            for (const SearchCandidate& candidate : problem_.candidates) {
                const auto& order = candidate.order.at(layer);
                for (std::size_t i = 0; i < order.size(); ++i) {
                    place[static_cast<std::size_t>(order[i])] += i;
                }
            }
            auto& order = order_[layer];
            for (std::size_t e = 0; e < experts; ++e) {
                order.push_back(static_cast<std::int32_t>(e));
            }
            std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
                return place[static_cast<std::size_t>(a)] < place[static_cast<std::size_t>(b)];
            });
        }
    }

    /// For each layer, the candidate that seems best there; then as many of these as do it.
    void take_layers_over() {
        std::vector<LayerChoice> choices;
        std::size_t part = 0;
        for (const auto& [layer, start] : kept_) {
            const double now = problem_.measure_part(kept_, part);
            LayerChoice best{layer, start, 0};
            for (const auto& experts : other_choices(layer)) {
                if (!may_go_on()) break;
                const double change = problem_.measure_part(changed(layer, experts), part) - now;
                if (change < best.change) best = {layer, experts, change};
            }
            if (best.change < 0) choices.push_back(std::move(best));
            part = (part + 1) % problem_.num_parts;
        }
        result_.layers_taken =
            static_cast<std::int64_t>(take_most(choices, [](auto& trial, const auto& choice) {
                trial[choice.layer] = choice.experts;
            }));
    }

    /// What the candidates that come near the best have in a layer, each choice once; none that
    /// keeps more or fewer.
    std::vector<std::vector<std::int32_t>> other_choices(std::int64_t layer) const {
        std::vector<std::vector<std::int32_t>> choices;
        for (std::size_t i = 0; i < problem_.candidates.size(); ++i) {
            if (result_.candidates[i].cost > kWorthTrying * cost_) continue;
            const auto& experts = problem_.candidates[i].kept.at(layer);
            if (experts == kept_.at(layer)) continue;
            if (experts.size() != kept_.at(layer).size()) continue;
            if (std::find(choices.begin(), choices.end(), experts) == choices.end()) {
                choices.push_back(experts);
            }
        }
        return choices;
    }

    /// Makes the changes together, or the better half of them, and so on, until the cost falls.
    /// Those made are left in `changes`. @return how many
    template <typename Change, typename Apply>
    std::size_t take_most(std::vector<Change>& changes, Apply&& apply) {
        std::stable_sort(changes.begin(), changes.end(),
                         [](const Change& a, const Change& b) { return a.change < b.change; });
        while (!changes.empty() && may_go_on()) {
            KeptExperts trial = kept_;
            for (const Change& change : changes) apply(trial, change);
            if (accept(trial)) return changes.size();
            changes.resize(changes.size() / 2);
        }
        return 0;
    }

    void exchange_experts() {
        const auto experts = static_cast<std::size_t>(problem_.limits.num_experts);
        std::size_t reach = kFirstReach;
        std::size_t failed_parts = 0;  // in a row, at full reach
        for (std::size_t round = 0; failed_parts < problem_.num_parts; ++round) {
            std::vector<Exchange> swaps = promising(reach, round % problem_.num_parts);
            const std::size_t made = take_most(swaps, [](auto& trial, const Exchange& swap) {
                trial[swap.layer] = with(trial[swap.layer], swap.back);
                trial[swap.gone_layer] = without(trial[swap.gone_layer], swap.gone);
            });
            count(swaps, made);
            if (!may_go_on()) return;
            if (made > 0) {
                failed_parts = 0;
            } else if (reach >= experts) {
                ++failed_parts;
            } else {
                reach *= 2;
            }
        }
        result_.is_exhausted = true;
    }

    void count(const std::vector<Exchange>& swaps, std::size_t made) {
        result_.swaps += static_cast<std::int64_t>(made);
        for (std::size_t i = 0; i < made; ++i) {
            if (swaps[i].layer != swaps[i].gone_layer) ++result_.moves;
        }
    }

    /// Exchanges that should lower the cost; an expert is in one at most.
    std::vector<Exchange> promising(std::size_t reach, std::size_t part) {
        std::vector<TriedLayer> tried = try_experts(reach, part);
        std::vector<Exchange> exchanges;
        for (TriedLayer& layer : tried) pair_up(layer, exchanges);
        if (problem_.limits.moves_between_layers) pair_up_layers(tried, exchanges);
        return exchanges;
    }

    std::vector<TriedLayer> try_experts(std::size_t reach, std::size_t part) {
        std::vector<TriedLayer> tried;
        const double now = problem_.measure_part(kept_, part);
        for (const auto& [layer, order] : order_) {
            if (!may_go_on()) break;
            std::vector<TriedExpert> gains;
            for (const std::int32_t expert : removed_near_the_cut(layer, reach)) {
                const auto trial = changed(layer, with(kept_[layer], expert));
                gains.push_back({expert, problem_.measure_part(trial, part) - now});
            }
            if (gains.empty() || !may_go_on()) continue;
            sort_by_change(gains);
            // The best one back, so that there are never fewer than the layer keeps.
            const auto base = with(kept_[layer], gains.front().expert);
            std::vector<TriedExpert> losses;
            for (const std::int32_t expert : kept_near_the_cut(layer, reach)) {
                const auto trial = changed(layer, without(base, expert));
                losses.push_back(
                    {expert, problem_.measure_part(trial, part) - now - gains.front().change});
            }
            sort_by_change(losses);
            tried.push_back({layer, std::move(gains), std::move(losses)});
        }
        return tried;
    }

    /// Within a layer. What found no partner stays in `tried`.
    void pair_up(TriedLayer& tried, std::vector<Exchange>& exchanges) const {
        std::vector<TriedExpert> left;
        for (const TriedExpert& gain : tried.gains) {
            const auto loss = std::find_if(
                tried.losses.begin(), tried.losses.end(),
                [&](const auto& other) { return is_same_group(other.expert, gain.expert); });
            if (loss == tried.losses.end() || gain.change + loss->change >= 0) {
                left.push_back(gain);
                continue;
            }
            exchanges.push_back(
                {tried.layer, gain.expert, tried.layer, loss->expert, gain.change + loss->change});
            tried.losses.erase(loss);
        }
        tried.gains = std::move(left);
    }

    /// Between layers: the best that come back with the best that go. A layer either gains or
    /// loses, so that any part of the exchanges leaves each of them enough.
    void pair_up_layers(const std::vector<TriedLayer>& tried,
                        std::vector<Exchange>& exchanges) const {
        std::vector<std::pair<std::int64_t, TriedExpert>> gains;
        std::vector<std::pair<std::int64_t, TriedExpert>> losses;
        for (const TriedLayer& layer : tried) {
            for (const TriedExpert& gain : layer.gains) gains.emplace_back(layer.layer, gain);
            for (const TriedExpert& loss : layer.losses) losses.emplace_back(layer.layer, loss);
        }
        const auto is_better = [](const auto& a, const auto& b) {
            return a.second.change < b.second.change;
        };
        std::stable_sort(gains.begin(), gains.end(), is_better);
        std::stable_sort(losses.begin(), losses.end(), is_better);
        std::map<std::int64_t, std::int64_t> grown;  // negative: experts that go
        for (const auto& [layer, gain] : gains) {
            if (grown[layer] < 0) continue;
            const auto loss = std::find_if(losses.begin(), losses.end(), [&](const auto& other) {
                return other.first != layer && may_shrink(other.first, grown[other.first]);
            });
            if (loss == losses.end() || gain.change + loss->second.change >= 0) continue;
            exchanges.push_back({layer, gain.expert, loss->first, loss->second.expert,
                                 gain.change + loss->second.change});
            ++grown[layer];
            --grown[loss->first];
            losses.erase(loss);
        }
    }
    bool may_shrink(std::int64_t layer, std::int64_t grown) const {
        const auto kept = static_cast<std::int64_t>(kept_.at(layer).size());
        return grown <= 0 && kept + grown > problem_.limits.least;
    }

    /// The best of those that go, the first in order first.
    std::vector<std::int32_t> removed_near_the_cut(std::int64_t layer, std::size_t reach) const {
        std::vector<std::int32_t> found;
        for (const std::int32_t expert : order_.at(layer)) {
            if (found.size() == reach) break;
            if (contains(kept_.at(layer), expert)) continue;
            if (!is_listed(problem_.limits.forced_out, layer, expert)) found.push_back(expert);
        }
        return found;
    }
    /// The worst of those that stay, the last in order first.
    std::vector<std::int32_t> kept_near_the_cut(std::int64_t layer, std::size_t reach) const {
        std::vector<std::int32_t> found;
        const auto& order = order_.at(layer);
        for (auto expert = order.rbegin(); expert != order.rend(); ++expert) {
            if (found.size() == reach) break;
            if (!contains(kept_.at(layer), *expert)) continue;
            if (!is_listed(problem_.limits.locked, layer, *expert)) found.push_back(*expert);
        }
        return found;
    }
    static bool is_listed(const KeptExperts& lists, std::int64_t layer, std::int32_t expert) {
        const auto found = lists.find(layer);
        return found != lists.end() && contains(found->second, expert);
    }
    bool is_same_group(std::int32_t a, std::int32_t b) const {
        const std::int64_t size = problem_.limits.num_experts / problem_.limits.num_groups;
        return a / size == b / size;
    }

    const SearchProblem& problem_;
    SearchResult result_;
    KeptExperts kept_;
    KeptExperts order_;
    double cost_ = std::numeric_limits<double>::infinity();
};

}  // namespace

SearchResult search_plan(const SearchProblem& problem) { return Search(problem).run(); }

}  // namespace espalier
