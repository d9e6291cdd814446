#pragma once

#include <QByteArray>

#include "ui/bridge/expert_data.h"
#include "ui/bridge/plan_state.h"

namespace espalier::ui {

/// A line an expert, full precision, for other programs: layer, expert, kept, locked, forced_out,
/// score, and with statistics count, gate_mean, mean_gated_norm.
QByteArray planCsv(const ExpertData& data, const PlanState& plan, const LayerScores& scores);

}  // namespace espalier::ui
