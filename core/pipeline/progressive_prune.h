#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "base/json.h"
#include "base/thread_pool.h"
#include "data/dataset.h"
#include "model/model_source.h"
#include "pipeline/events.h"
#include "pipeline/probe_windows.h"
#include "prune/expert_plan.h"
#include "prune/round_path.h"
#include "prune/select_experts.h"
#include "routing/expert_stats.h"

namespace espalier {

/// How experts go in several rounds.
struct RoundSchedule {
    RoundPathOptions path;
    double max_kl = 0;           ///< nats a token to the whole model, on the probe; 0: no limit
    std::int64_t remeasure = 0;  ///< statistics anew after every so many rounds; 0: never
    std::string recovery = "none";
    /// Of the probe, on which a round's routing is compared with the original's; 0: not compared.
    std::int64_t routing_tokens = 4096;
};

/// How kMeasuredSelection chooses in each round: see MeasuredSelectionInput.
struct RoundSearch {
    SearchWindows windows;
    double seconds = 120;  ///< of all rounds together
    std::int64_t max_tries = 0;
};

struct ProgressiveInput {
    const ModelSource& model;
    const ExpertStats& stats;
    SelectOptions options;  ///< `keep` is where the rounds end
    RoundSchedule schedule;
    TokenWindows probe;            ///< tokens that calibration did not see
    std::filesystem::path folder;  ///< one folder a round; a call that was cut short goes on there
    ThreadPool& pool;
    /// Statistics of `model` in which the plan's experts alone are used; the file is theirs.
    /// Needed if the schedule asks for them.
    std::function<ExpertStats(const std::filesystem::path& model, const ExpertPlan& plan,
                              const std::filesystem::path& file)>
        remeasure = {};
    /// Needed for the criterion kMeasuredSelection, which looks for what costs the model at hand
    /// least; after a recovery, that is the recovered one.
    std::optional<RoundSearch> search = {};
    RunObserver& observer;
    std::size_t stage_index = 0;
    double progress_share = 1;  ///< of the stage's progress
};

struct ProgressiveResult {
    ExpertPlan plan;
    /// [{round, experts, kl, top1, perplexity, tasks: {label: kl}, task_mass, refused: [{experts,
    /// kl, reason}], remeasured, recovery, model, routing: routing_figures(), kl_after_recovery}];
    /// the last two where the routing is compared, and where weights were recovered
    Json rounds = Json::array();
    std::filesystem::path model;        ///< recovered weights to cut; empty: the input's
    std::optional<std::int64_t> floor;  ///< where the limits ended it, if short of the aim
};

/// Removes experts in rounds: each chooses, runs the result as a mask and measures it on the probe.
/// Within the limits (KL; a task's mass below 60 % that is not accepted) the round stands: it is
/// recovered, and recorded as `NN/plan.json` and `NN/round.json` in the folder, whichever plan a
/// user may return to. Past them the step is halved, and below one expert a layer the rounds end.
/// Experts that went never come back. Reports MetricMeasured "rounds.experts", "rounds.kl" and
/// "rounds.recall".
/// @throws Error RunRecipe as select_experts(), for a criterion that rounds cannot go by, or if the
/// limits allow no expert at all to go; FileExists for a folder of other rounds; Cancelled
ProgressiveResult prune_in_rounds(const ProgressiveInput& input, std::stop_token stop = {});

/// What would be refused before any work. @throws Error RunRecipe
void validate(const RoundSchedule& schedule, std::string_view criterion, std::string_view merge);

}  // namespace espalier
