#pragma once

#include <QString>
#include <cstdint>
#include <map>
#include <vector>

#include "model/moe_config.h"
#include "ui/bridge/expert_data.h"
#include "ui/bridge/plan_state.h"

namespace espalier::ui {

enum class PlanEdit { Prune, Keep, Lock, ForceOut, Clear };

/// A plan after an edit, or why the edit was refused, for the header of its layer.
struct EditResult {
    PlanState state;
    std::int64_t refusedLayer = -1;
    QString refusal = {};
    bool isRefused() const { return !refusal.isEmpty(); }
};

/// Does it to all cells at once, or to none.
EditResult edited(const PlanState& state, PlanEdit edit, const ExpertCells& cells,
                  const RouterConfig& router);

/// "Prune 10 experts in layer 17".
QString editText(PlanEdit edit, const ExpertCells& cells);

/// Why a layer cannot do with these experts; empty if it can.
QString layerProblem(std::int64_t layer, const std::vector<std::int32_t>& kept,
                     const RouterConfig& router);

/// What a written model can hold: the same number of experts in each layer.
bool isUniform(const PlanState& state);
/// Smaller layers get their best removed experts back, up to the largest layer's number.
PlanState filledUp(const PlanState& state, const LayerScores& scores, const RouterConfig& router);
/// Larger layers lose their worst experts, down to the smallest layer's number. Locked ones stay;
/// a layer that cannot get there makes it refused.
EditResult cutDown(const PlanState& state, const LayerScores& scores, const RouterConfig& router);

}  // namespace espalier::ui
