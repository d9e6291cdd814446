#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/thread_pool.h"
#include "model/model_source.h"
#include "model/moe_config.h"
#include "pipeline/probe_windows.h"
#include "prune/expert_plan.h"
#include "prune/select_experts.h"
#include "routing/criterion.h"
#include "routing/expert_stats.h"

namespace espalier {

/// Stands in place of a criterion: which ranking is best differs from model to model, so several
/// are tried.
inline constexpr std::string_view kMeasuredSelection = "auto";

/// Tokens of a part of what is searched on; every criterion is measured on the first two.
inline constexpr std::int64_t kSearchPartTokens = 4096;

struct MeasuredSelectionInput {
    const ModelSource& model;
    const ExpertStats& stats;
    SelectOptions options;       ///< its criterion is not looked at
    SearchWindows windows;       ///< to search on, and to check the result on
    double seconds = 120;        ///< for the search, once every criterion is measured
    std::int64_t max_tries = 0;  ///< expansions and measurements; independent of the clock; 0 = any
    ThreadPool& pool;
    std::function<void(double fraction, const std::string& text)> progress = {};
};

/// Whether choosing by a criterion, or by measuring, reads the long vectors of the statistics.
bool reads_vectors(std::string_view criterion);

/// What a plan's layers are shown by: its criterion, or the one that a search started from.
const Criterion& shown_criterion(const ExpertPlan& plan);

/// Memory that a search on so many tokens takes beside the model, as far as this machine has it.
std::uint64_t search_bytes(const MoeConfig& config, std::int64_t tokens);

/// The experts whose removal moves the model's predictions least, found by measuring: see
/// search_plan(). On the windows that the search does not see, no criterion alone may cost less by
/// more than chance, or the best of those is taken. With the scope Across experts may stay in
/// one layer for others in another, down to lowest_measured() unless the options say otherwise. The
/// cost is expanded by the torch module, and measured in Arithmetic::BFloat16, which leaves its
/// mean as it is and takes a third of the time.
///
/// The plan's reasons tell it under "search": {"start", "kept" ("search", or the criterion taken
/// instead), "seconds", "measurements", "expansions", "swaps", "moves", "exhausted", "kl",
/// "start_kl", "thinned_kl", "search_unseen_kl", "unseen_kl", "search_tokens", "unseen_tokens",
/// "candidates": [{"criterion", "scope", "kl" (on the first parts of what is searched on),
/// "unseen_kl"}]}.
/// @throws Error RunRecipe as select_experts(); RunModule; Cancelled
ExpertPlan select_by_measurement(const MeasuredSelectionInput& input, std::stop_token stop = {});

}  // namespace espalier
