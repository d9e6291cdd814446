#include "pipeline/measured_selection.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstddef>
#include <fmt/format.h>
#include <memory>
#include <utility>

#include "base/cancel.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "eval/expert_projector.h"
#include "eval/mask_expansion.h"
#include "eval/mask_probe.h"
#include "infer/native_model.h"
#include "pipeline/torch_services.h"
#include "prune/kept_counts.h"
#include "prune/part_costs.h"
#include "prune/search_plan.h"
#include "routing/criterion.h"

namespace espalier {
namespace {

using Clock = std::chrono::steady_clock;

/// Tokens that the cost is expanded on.
constexpr std::int64_t kExpandedTokens = 8192;
constexpr std::int64_t kExpansionBytes = std::int64_t{1} << 30;

/// Tokens of a part of what the result is checked on.
constexpr std::int64_t kCheckPartTokens = 1024;

/// What measuring may remember: the more, the faster it is.
std::uint64_t most_probe_bytes() {
    constexpr std::uint64_t kMost = std::uint64_t{4} << 30;
    return std::min(kMost, machine_memory().available_bytes / 4);
}

/// Of a token: hidden states while the cost is expanded, and what is held of each expansion.
std::int64_t expansion_floats(const MoeConfig& config) {
    const std::int64_t layers = config.num_layers();
    return (layers + 1) * config.hidden_size +
           static_cast<std::int64_t>(kExpansionsHeld) * layers * 3 * config.router.num_experts;
}

/// Fewer where the expansions held would need too much memory.
std::int64_t expanded_tokens(const MoeConfig& config) {
    return std::min(kExpandedTokens, kExpansionBytes / (4 * expansion_floats(config)));
}

/// See ExpertProjector::project().
double temperature_of(SearchProblem::Reach reach) {
    return reach == SearchProblem::Reach::Thinning ? 2 : 1;
}

class ExpandedCost final : public CostExpansion {
public:
    explicit ExpandedCost(MaskExpansion expansion) : expansion_(std::move(expansion)) {}
    double change(std::int64_t layer, const std::vector<std::int32_t>& kept) const override {
        return expansion_.change(layer, kept);
    }
    void take(std::int64_t layer, const std::vector<std::int32_t>& kept) override {
        expansion_.take(layer, kept);
    }

private:
    MaskExpansion expansion_;
};

KeptExperts kept_of(const ExpertPlan& plan) {
    KeptExperts kept;
    for (const auto& [layer, row] : plan.layers) kept[layer] = row.kept;
    return kept;
}

/// Parts of about so many tokens, each of two windows at least.
std::size_t count_parts(const TokenWindows& windows, std::int64_t part_tokens) {
    const auto wanted = windows.num_tokens() / std::max<std::int64_t>(part_tokens, 1);
    return static_cast<std::size_t>(std::clamp<std::int64_t>(
        wanted, 1, static_cast<std::int64_t>(windows.windows.size() + 1) / 2));
}

/// Where each of so many comes if halves, quarters, eighths and so on are visited in turn.
std::vector<std::size_t> far_apart(std::size_t count) {
    std::vector<std::size_t> places;
    for (std::size_t step = std::bit_ceil(count); step > 0; step /= 2) {
        for (std::size_t i = 0; i < count; i += step) {
            if (std::find(places.begin(), places.end(), i) == places.end()) places.push_back(i);
        }
    }
    std::vector<std::size_t> order(count);
    for (std::size_t i = 0; i < count; ++i) order[places[i]] = i;
    return order;
}

/// Each of neighbouring windows, which often are of one document: what helps one document alone
/// shows as a difference between the parts. The first of them lie far apart.
std::vector<TokenWindows> cut(const TokenWindows& windows, std::int64_t part_tokens) {
    std::vector<TokenWindows> parts(count_parts(windows, part_tokens));
    const std::vector<std::size_t> order = far_apart(parts.size());
    for (TokenWindows& part : parts) part.tasks = windows.tasks;
    for (std::size_t w = 0; w < windows.windows.size(); ++w) {
        TokenWindows& part = parts[order[w * parts.size() / windows.windows.size()]];
        part.windows.push_back(windows.windows[w]);
        part.task_of_window.push_back(windows.task_of_window[w]);
    }
    return parts;
}

class MeasuredSelection {
public:
    MeasuredSelection(const MeasuredSelectionInput& input, std::stop_token stop)
        : input_(input), stop_(std::move(stop)), model_(input.model, input.pool) {
        model_.set_arithmetic(Arithmetic::BFloat16);
    }

    ExpertPlan run() {
        tell(0, "measuring the whole model");
        const std::vector<SearchCandidate> candidates = candidates_of_all_criteria();
        const SearchResult found = search(candidates);
        const double seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
        tell(0.95, "checking on texts that the search has not seen");
        Json story = {{"start", candidates[found.start].criterion},
                      {"seconds", seconds},
                      {"measurements", measurements_},
                      {"expansions", expansions_},
                      {"swaps", found.swaps},
                      {"moves", found.moves},
                      {"exhausted", found.is_exhausted},
                      {"kl", found.cost},
                      {"start_kl", found.start_cost},
                      {"thinned_kl", found.thinned_cost ? Json(*found.thinned_cost) : Json()},
                      {"search_tokens", search_tokens_}};
        const KeptExperts kept = check(candidates, found, story);
        return finish(kept, std::move(story));
    }

private:
    void tell(double fraction, const std::string& text) const {
        if (input_.progress) input_.progress(fraction, text);
    }

    SearchCandidate candidate_of(const Criterion& criterion, SelectScope scope) const {
        SelectOptions options = input_.options;
        options.criterion = criterion.name;
        options.scope = scope;
        options.lowest = lowest();
        return {std::string(criterion.name),
                kept_of(select_experts(input_.stats, input_.model.config(), options))};
    }

    /// Those whose statistics were collected; the control is none of them. Where layers may differ,
    /// each as it chooses within layers, too.
    std::vector<SearchCandidate> candidates_of_all_criteria() {
        std::vector<SelectScope> scopes = {SelectScope::Layers};
        if (input_.options.scope == SelectScope::Across) scopes.push_back(SelectScope::Across);
        std::vector<SearchCandidate> candidates;
        std::string left_out;
        for (const Criterion& criterion : criteria()) {
            if (criterion.name == kRandomCriterion || criterion.replaces) continue;
            if (!is_measured(criterion)) {
                left_out += fmt::format("{}{}", left_out.empty() ? "" : ", ", criterion.name);
                continue;
            }
            for (const SelectScope scope : scopes) {
                candidates.push_back(candidate_of(criterion, scope));
                scopes_.emplace_back(scope == SelectScope::Across ? "across" : "layers");
            }
        }
        if (!left_out.empty()) {
            log("prune").info("Not tried, as calibration gathered too little for them: {}.",
                              left_out);
        }
        return candidates;
    }

    bool is_measured(const Criterion& criterion) const {
        try {
            for (const auto& [layer, stats] : input_.stats.layers) {
                criterion.score(stats, {layer, input_.options.seed});
            }
        } catch (const Error&) {
            return false;
        }
        return true;
    }

    std::int64_t lowest() const {
        const RouterConfig& router = input_.model.config().router;
        return input_.options.lowest > 0 ? lowest_asked(input_.options.lowest, router)
                                         : lowest_measured(router);
    }

    ExpertMask mask_of(const KeptExperts& kept) const {
        ExpertPlan plan;
        for (const auto& [layer, experts] : kept) plan.layers[layer].kept = experts;
        return plan.mask(input_.model.config());
    }

    SearchLimits limits() const {
        const RouterConfig& router = input_.model.config().router;
        SearchLimits limits{.num_groups = router.num_groups,
                            .num_experts = router.num_experts,
                            .locked = {},
                            .forced_out = {},
                            .moves_between_layers = input_.options.scope == SelectScope::Across &&
                                                    router.num_groups == 1,
                            .least = lowest()};
        for (const auto& [layer, wish] : input_.options.wishes) {
            limits.locked[layer] = wish.locked;
            limits.forced_out[layer] = wish.forced_out;
        }
        for (const auto& [layer, expert] : protected_super_experts(input_.stats, input_.options)) {
            limits.locked[layer].push_back(expert);
        }
        return limits;
    }

    /// One of each part; together they have the memory of one.
    std::vector<MaskProbe> make_probes(std::vector<TokenWindows> parts) {
        const MaskProbeOptions options{.memory_bytes = most_probe_bytes() / parts.size(),
                                       .streams_layers = is_larger_than_memory(input_.model)};
        std::vector<MaskProbe> probes;
        probes.reserve(parts.size());
        for (TokenWindows& part : parts) {
            probes.emplace_back(model_, std::move(part), options, stop_);
        }
        return probes;
    }
    static std::int64_t scored_tokens(const std::vector<MaskProbe>& probes) {
        std::int64_t tokens = 0;
        for (const MaskProbe& probe : probes) tokens += probe.whole().all.tokens;
        return tokens;
    }

    SearchResult search(const std::vector<SearchCandidate>& candidates) {
        std::vector<MaskProbe> probes = make_probes(cut(input_.windows.seen, kSearchPartTokens));
        search_tokens_ = scored_tokens(probes);
        SearchProblem problem;
        problem.candidates = candidates;
        problem.limits = limits();
        problem.num_parts = probes.size();
        problem.measure = [&](const KeptExperts& kept, std::size_t part) {
            if (part == 0) ++measurements_;
            tell_tries();
            return probes[part].measure(mask_of(kept), stop_).all.kl;
        };
        problem.settle = [&](const KeptExperts& kept) {
            for (MaskProbe& probe : probes) probe.settle(mask_of(kept), stop_);
        };
        std::unique_ptr<ExpertProjector> projector;
        const auto expanded = windows_to_expand();
        problem.num_expansions = expanded.size();
        problem.expand = [&](const KeptExperts& kept,
                             SearchProblem::Reach reach) -> std::unique_ptr<CostExpansion> {
            if (!projector) {
                projector = torch_services().expert_projector(input_.model, input_.windows.seen,
                                                              input_.options.seed, input_.pool);
            }
            const auto& windows = expanded[static_cast<std::size_t>(expansions_) % expanded.size()];
            ++expansions_;
            tell_tries();
            return std::make_unique<ExpandedCost>(MaskExpansion(
                input_.model.config(),
                projector->project(mask_of(kept), windows, temperature_of(reach), stop_), kept,
                input_.pool));
        };
        problem.begin = [&] {
            begin_ = Clock::now();
            measurements_ = 0;
            is_searching_ = true;
        };
        problem.used = [&] { return used(); };
        problem.progress = [&](double cost) { best_ = cost; };
        begin_ = Clock::now();
        return search_plan(problem);
    }

    /// Indices of the windows of each part, smaller where what is kept of them asks for it.
    std::vector<std::vector<std::size_t>> windows_to_expand() const {
        const std::int64_t tokens = expanded_tokens(input_.model.config());
        std::vector<std::vector<std::size_t>> parts(count_parts(input_.windows.seen, tokens));
        for (std::size_t w = 0; w < input_.windows.seen.windows.size(); ++w) {
            parts[w % parts.size()].push_back(w);
        }
        return parts;
    }

    double used() const {
        if (input_.max_tries > 0 && measurements_ + expansions_ >= input_.max_tries) return 1;
        const double seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
        const double of_time = input_.seconds > 0 ? seconds / input_.seconds : 1.0;
        if (input_.max_tries == 0) return of_time;
        return std::max(of_time, static_cast<double>(measurements_ + expansions_) /
                                     static_cast<double>(input_.max_tries));
    }

    void tell_tries() const {
        if (!is_searching_) return tell(0, "measuring every criterion");
        tell(0.9 * std::min(1.0, used()),
             fmt::format("best KL {:.4f}, {} plans measured", best_, measurements_));
    }

    /// What the windows kept back say: the search's choice, unless the criterion that it started
    /// from costs less there by more than chance, or another one by much more.
    KeptExperts check(const std::vector<SearchCandidate>& candidates, const SearchResult& found,
                      Json& story) {
        std::vector<MaskProbe> probes = make_probes(cut(input_.windows.unseen, kCheckPartTokens));
        const auto measure = [&](const KeptExperts& kept) {
            PartCosts costs;
            for (MaskProbe& probe : probes) {
                costs.push_back(probe.measure(mask_of(kept), stop_).all.kl);
            }
            return costs;
        };
        const PartCosts of_search = measure(found.kept);
        std::vector<PartCosts> of_candidates;
        Json rows = Json::array();
        for (std::size_t i = 0; i < candidates.size(); ++i) {
            of_candidates.push_back(measure(candidates[i].kept));
            rows.push_back({{"criterion", candidates[i].criterion},
                            {"scope", scopes_[i]},
                            {"kl", found.candidates[i].cost},
                            {"unseen_kl", mean_of(of_candidates.back())}});
        }
        const auto better = surely_lowest(of_candidates, of_search, found.start);
        story["kept"] = better ? candidates[*better].criterion : "search";
        story["search_unseen_kl"] = mean_of(of_search);
        story["unseen_kl"] = mean_of(better ? of_candidates[*better] : of_search);
        story["candidates"] = std::move(rows);
        story["unseen_tokens"] = scored_tokens(probes);
        return better ? candidates[*better].kept : found.kept;
    }

    /// The plan with the reasons and warnings of any other.
    ExpertPlan finish(const KeptExperts& kept, Json story) const {
        SelectOptions options = input_.options;
        options.criterion = story.at("start").get<std::string>();
        for (const auto& [layer, experts] : kept) {
            LayerPlan& wish = options.wishes[layer];
            wish.locked = experts;
            wish.forced_out.clear();
            for (std::int32_t e = 0; e < input_.model.config().router.num_experts; ++e) {
                if (!std::binary_search(experts.begin(), experts.end(), e))
                    wish.forced_out.push_back(e);
            }
        }
        ExpertPlan plan = select_experts(input_.stats, input_.model.config(), options);
        for (auto& [layer, row] : plan.layers) {
            const auto wish = input_.options.wishes.find(layer);
            const bool is_asked = wish != input_.options.wishes.end();
            row.locked = is_asked ? wish->second.locked : std::vector<std::int32_t>{};
            row.forced_out = is_asked ? wish->second.forced_out : std::vector<std::int32_t>{};
        }
        plan.criterion = kMeasuredSelection;
        plan.reasons["search"] = std::move(story);
        return plan;
    }

    const MeasuredSelectionInput& input_;
    std::stop_token stop_;
    NativeModel model_;
    std::vector<std::string> scopes_;  ///< of the candidates
    Clock::time_point begin_;
    bool is_searching_ = false;  ///< every criterion has been measured
    double best_ = 0;
    std::int64_t measurements_ = 0;  ///< of plans, since the search began
    std::int64_t expansions_ = 0;
    std::int64_t search_tokens_ = 0;
};

}  // namespace

bool reads_vectors(std::string_view criterion) {
    return criterion == kMeasuredSelection || find_criterion(criterion).needs_vectors;
}

const Criterion& shown_criterion(const ExpertPlan& plan) {
    if (plan.criterion != kMeasuredSelection) return find_criterion(plan.criterion);
    return find_criterion(plan.reasons.at("search").at("start").get<std::string>());
}

std::uint64_t search_bytes(const MoeConfig& config, std::int64_t tokens) {
    // Predictions, and hidden states between layers: of the choice and of the one measured last.
    const std::int64_t row = config.vocab_size + 2 * config.hidden_size * config.num_layers();
    const std::int64_t expanded =
        std::min(tokens, expanded_tokens(config)) * expansion_floats(config);
    return std::min(most_probe_bytes(), 4 * static_cast<std::uint64_t>(tokens * row)) +
           4 * static_cast<std::uint64_t>(expanded);
}

ExpertPlan select_by_measurement(const MeasuredSelectionInput& input, std::stop_token stop) {
    return MeasuredSelection(input, std::move(stop)).run();
}

}  // namespace espalier
