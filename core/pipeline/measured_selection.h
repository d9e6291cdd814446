#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/thread_pool.h"
#include "data/dataset.h"
#include "model/model_source.h"
#include "prune/expert_plan.h"
#include "prune/select_experts.h"
#include "routing/expert_stats.h"

namespace espalier {

/// Stands in place of a criterion: which ranking is best differs from model to model, so several
/// are tried.
inline constexpr std::string_view kMeasuredSelection = "auto";

struct MeasuredSelectionInput {
    const ModelSource& model;
    const ExpertStats& stats;
    SelectOptions options;  ///< its criterion is not looked at
    /// Tokens that calibration did not see. Every fourth window is kept from the search and decides
    /// at the end whether its result stands.
    TokenWindows probe;
    double seconds = 120;               ///< for the search, once every criterion is measured
    std::int64_t max_measurements = 0;  ///< ends the search too, independent of the clock; 0 = none
    ThreadPool& pool;
    std::function<void(double fraction, const std::string& text)> progress = {};
};

/// The experts whose removal moves the model's predictions least, found by measuring: every
/// criterion's choice first, then exchanges around the cut. On the windows kept back it must be no
/// worse than the best criterion alone, or that one is taken. With the scope Across experts of
/// different layers are exchanged, too. The plan's reasons tell it under
/// "search": {"start", "kept" ("search"|"start"), "seconds", "measurements", "part_measurements",
/// "swaps", "moves", "layers_taken", "exhausted", "candidates": [{"criterion", "kl", "unseen_kl"}],
/// "kl", "unseen_kl", "search_tokens", "unseen_tokens"}.
/// @throws Error RunRecipe as select_experts(), DataEmpty for a probe set of less than two windows;
/// Cancelled
ExpertPlan select_by_measurement(const MeasuredSelectionInput& input, std::stop_token stop = {});

}  // namespace espalier
