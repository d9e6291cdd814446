#pragma once

#include <QString>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "ui/bridge/expert_data.h"
#include "ui/bridge/plan_state.h"
#include "ui/models/expert_matrix.h"

namespace espalier::ui {

/// What the statistics tell of one expert.
struct ExpertFacts {
    ExpertCell cell;
    double score = 0;       ///< by the criterion shown
    std::int32_t rank = 0;  ///< 1 = the highest of its layer
    std::int64_t count = 0;
    double tokenShare = 0;  ///< of the layer's tokens that chose it
    double meanShare = 0;   ///< of an expert of the layer
    double meanGate = 0;
    std::vector<std::int64_t> gateHistogram;  ///< 32 bins of [0, 1); empty = not gathered
    std::vector<std::int64_t> positions;      ///< by eighths of the window
    std::vector<double> taskShares;           ///< of each task's tokens, in the order of the tasks
    std::vector<std::pair<std::int32_t, double>> firesWith;  ///< expert and share of its tokens
    /// The expert whose mean output points most nearly the same way, and the cosine.
    std::optional<std::pair<std::int32_t, double>> nearest;
    const std::vector<TopContext>* contexts = nullptr;  ///< of the data, which must live on
};

/// @param scores of what is shown
ExpertFacts factsOf(const ExpertData& data, const LayerScores& scores, const ExpertCell& cell);

/// The strongest tokens with the text around them, a line each: "0.91  …before[token]after…".
QString contextText(const ExpertFacts& facts);

/// "kept", "removed, forced out", "merged into 12", "kept, takes in 3, 17".
QString decisionText(const PlanState& plan, const ExpertCell& cell);

}  // namespace espalier::ui
