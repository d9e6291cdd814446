#include "pipeline/measured_selection.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <fmt/format.h>
#include <memory>
#include <utility>

#include "base/cancel.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "eval/mask_probe.h"
#include "infer/native_model.h"
#include "prune/kept_counts.h"
#include "prune/rank_experts.h"
#include "prune/search_plan.h"
#include "routing/criterion.h"

namespace espalier {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kUnseenEvery = 4;
/// Tokens of a part that single experts are tried on: enough for each to be chosen some dozen
/// times.
constexpr std::int64_t kPartTokens = 2048;

struct ProbeParts {
    TokenWindows search;
    TokenWindows unseen;
};

/// Every fourth window of each task is kept back.
ProbeParts split(TokenWindows probe) {
    ProbeParts parts;
    parts.search.tasks = parts.unseen.tasks = probe.tasks;
    std::vector<std::size_t> seen(probe.tasks.size(), 0);
    for (std::size_t w = 0; w < probe.windows.size(); ++w) {
        const std::int32_t task = probe.task_of_window[w];
        const std::size_t place = seen[static_cast<std::size_t>(task)]++;
        TokenWindows& part = place % kUnseenEvery == 1 ? parts.unseen : parts.search;
        part.windows.push_back(std::move(probe.windows[w]));
        part.task_of_window.push_back(task);
    }
    if (parts.unseen.windows.empty()) {
        throw Error(ErrorCode::DataEmpty,
                    "The probe set has less than two windows: nothing would be left to check the "
                    "search on.",
                    "Give a longer probe text.");
    }
    return parts;
}

bool is_larger_than_memory(const ModelSource& model) {
    std::uint64_t bytes = 0;
    for (const NamedTensor& tensor : model.stored_tensors()) bytes += tensor.view.bytes.size();
    return bytes > machine_memory().available_bytes / 10 * 8;
}

KeptExperts kept_of(const ExpertPlan& plan) {
    KeptExperts kept;
    for (const auto& [layer, row] : plan.layers) kept[layer] = row.kept;
    return kept;
}

class MeasuredSelection {
public:
    MeasuredSelection(const MeasuredSelectionInput& input, std::stop_token stop)
        : input_(input),
          stop_(std::move(stop)),
          parts_(split(input.probe)),
          options_{.streams_layers = is_larger_than_memory(input.model)},
          model_(input.model, input.pool) {}

    ExpertPlan run() {
        tell(0, "measuring the whole model");
        const std::vector<SearchCandidate> candidates = candidates_of_all_criteria();
        const auto begin = Clock::now();
        const SearchResult found = search(candidates, begin);
        const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
        tell(0.95, "checking on texts that the search has not seen");
        Json story = {{"start", candidates[found.start].criterion},
                      {"seconds", seconds},
                      {"measurements", measurements_},
                      {"part_measurements", part_measurements_},
                      {"swaps", found.swaps},
                      {"moves", found.moves},
                      {"layers_taken", found.layers_taken},
                      {"exhausted", found.is_exhausted},
                      {"kl", found.cost},
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
        const ExpertPlan plan = select_experts(input_.stats, input_.model.config(), options);
        SearchCandidate candidate{
            .criterion = std::string(criterion.name), .kept = kept_of(plan), .order = {}};
        for (const auto& [layer, kept] : candidate.kept) {
            const LayerStats& stats = input_.stats.layers.at(layer);
            candidate.order[layer] =
                rank_experts(criterion.score(stats, {layer, options.seed}), stats.count);
        }
        return candidate;
    }

    /// Those whose statistics were collected; the control is none of them. Where layers may differ,
    /// each as it chooses within layers, too.
    std::vector<SearchCandidate> candidates_of_all_criteria() const {
        std::vector<SearchCandidate> candidates;
        std::string left_out;
        for (const Criterion& criterion : criteria()) {
            if (criterion.name == "random" || criterion.replaces) continue;
            if (!is_measured(criterion)) {
                left_out += fmt::format("{}{}", left_out.empty() ? "" : ", ", criterion.name);
                continue;
            }
            candidates.push_back(candidate_of(criterion, SelectScope::Layers));
            if (input_.options.scope == SelectScope::Across)
                candidates.push_back(candidate_of(criterion, SelectScope::Across));
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
                            .least = lowest_across(router)};
        for (const auto& [layer, wish] : input_.options.wishes) {
            limits.locked[layer] = wish.locked;
            limits.forced_out[layer] = wish.forced_out;
        }
        if (input_.options.protects_super_experts) {
            for (const auto& [layer, expert] : super_experts(input_.stats)) {
                limits.locked[layer].push_back(expert);
            }
        }
        return limits;
    }

    /// Parts of the search set, each with windows of every task.
    std::vector<MaskProbe> make_probes() {
        std::vector<TokenWindows> parts;
        const std::int64_t tokens = parts_.search.num_tokens();
        parts.resize(static_cast<std::size_t>(std::clamp<std::int64_t>(
            tokens / kPartTokens, 1, static_cast<std::int64_t>(parts_.search.windows.size()))));
        for (TokenWindows& part : parts) part.tasks = parts_.search.tasks;
        for (std::size_t w = 0; w < parts_.search.windows.size(); ++w) {
            TokenWindows& part = parts[w % parts.size()];
            part.windows.push_back(std::move(parts_.search.windows[w]));
            part.task_of_window.push_back(parts_.search.task_of_window[w]);
        }
        std::vector<MaskProbe> probes;
        probes.reserve(parts.size());
        for (TokenWindows& part : parts) {
            probes.emplace_back(model_, std::move(part), options_, stop_);
        }
        return probes;
    }

    SearchResult search(const std::vector<SearchCandidate>& candidates, Clock::time_point begin) {
        std::vector<MaskProbe> probes = make_probes();
        for (const MaskProbe& probe : probes) search_tokens_ += probe.whole().all.tokens;
        const auto deadline = begin + std::chrono::duration<double>(input_.seconds);
        SearchProblem problem;
        problem.candidates = candidates;
        problem.limits = limits();
        problem.num_parts = probes.size();
        problem.measure = [&](const KeptExperts& kept) {
            double sum = 0;
            for (MaskProbe& probe : probes) {
                const MaskCost cost = probe.measure(mask_of(kept), stop_).all;
                sum += cost.kl * static_cast<double>(cost.tokens);
            }
            ++measurements_;
            return sum / static_cast<double>(search_tokens_);
        };
        problem.measure_part = [&](const KeptExperts& kept, std::size_t part) {
            ++part_measurements_;
            return probes[part].measure(mask_of(kept), stop_).all.kl;
        };
        problem.settle = [&](const KeptExperts& kept) {
            for (MaskProbe& probe : probes) probe.settle(mask_of(kept), stop_);
        };
        double best = 0;
        problem.may_go_on = [&] {
            const double used = std::chrono::duration<double>(Clock::now() - begin).count();
            tell(0.9 * std::min(1.0, used / std::max(input_.seconds, 1e-3)),
                 fmt::format("best KL {:.4f}, {} tries", best, measurements_ + part_measurements_));
            return Clock::now() < deadline &&
                   (input_.max_measurements == 0 ||
                    measurements_ + part_measurements_ < input_.max_measurements);
        };
        problem.progress = [&](double cost) { best = cost; };
        return search_plan(problem);
    }

    /// What the windows kept back say: the search's choice, unless the best criterion alone does
    /// better there.
    KeptExperts check(const std::vector<SearchCandidate>& candidates, const SearchResult& found,
                      Json& story) {
        MaskProbe probe(model_, parts_.unseen, options_, stop_);
        const double unseen_kl = probe.measure(mask_of(found.kept), stop_).all.kl;
        const SearchCandidate* best = nullptr;
        double best_kl = unseen_kl;
        Json rows = Json::array();
        for (std::size_t i = 0; i < candidates.size(); ++i) {
            const double kl = probe.measure(mask_of(candidates[i].kept), stop_).all.kl;
            rows.push_back({{"criterion", candidates[i].criterion},
                            {"kl", found.candidates[i].cost},
                            {"unseen_kl", kl}});
            if (i == found.start && kl < best_kl) {
                best = &candidates[i];
                best_kl = kl;
            }
        }
        story["candidates"] = std::move(rows);
        story["unseen_kl"] = best_kl;
        story["unseen_tokens"] = probe.whole().all.tokens;
        story["kept"] = best == nullptr ? "search" : "start";
        return best == nullptr ? found.kept : best->kept;
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
    ProbeParts parts_;
    MaskProbeOptions options_;
    NativeModel model_;
    std::int64_t measurements_ = 0;       ///< on the whole search set
    std::int64_t part_measurements_ = 0;  ///< on a part of it
    std::int64_t search_tokens_ = 0;
};

}  // namespace

ExpertPlan select_by_measurement(const MeasuredSelectionInput& input, std::stop_token stop) {
    return MeasuredSelection(input, std::move(stop)).run();
}

}  // namespace espalier
