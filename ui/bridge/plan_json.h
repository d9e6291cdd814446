#pragma once

#include "base/json.h"
#include "ui/bridge/expert_data.h"
#include "ui/bridge/measured_points.h"
#include "ui/bridge/plan_state.h"

namespace espalier::ui {

/// What the inspector keeps of a plan in its file, beside what core reads of it.
Json toJson(const PlanSettings& settings);
/// @param plan says what `json` does not, in files of other programs
/// @throws Json::exception, Error
PlanSettings settingsFrom(const Json& json, const ExpertPlan& plan);

/// The experts that a measured plan keeps are written as bits, in hexadecimal digits: digit i has
/// those of the experts 4i to 4i + 3, the first in its lowest bit.
Json toJson(const MeasuredPoint& point);
/// @throws Json::exception, Error if it is no plan of the model
MeasuredPoint measuredPointFrom(const Json& json, const ExpertData& data);

}  // namespace espalier::ui
