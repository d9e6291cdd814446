#pragma once

#include <QDateTime>
#include <QString>
#include <filesystem>
#include <vector>

#include "base/json.h"
#include "ui/bridge/expert_data.h"
#include "ui/bridge/measured_points.h"
#include "ui/bridge/plan_state.h"

namespace espalier::ui {

/// One line of a plan's story: why an expert is gone.
struct HistoryLine {
    QString time;  ///< ISO 8601
    QString text;
    bool operator==(const HistoryLine&) const = default;
};

/// A plan with what the inspector keeps beside it, in the plan's reasons under "inspector".
struct SavedPlan {
    PlanState state;
    QString name;
    QString note;
    std::vector<HistoryLine> history;
    QString modelHash;
    std::vector<MeasuredPoint> measured = {};  ///< this plan and those that were tried beside it
};

/// A plan of a model as lists show it.
struct PlanFile {
    QString path;
    QString name;
    bool operator==(const PlanFile&) const = default;
};

/// data folder / plans / <model>-<start of its hash>
std::filesystem::path planFolder(const ExpertData& data);
/// The file of a plan of that name. Characters that file names cannot have become "-".
std::filesystem::path planPath(const ExpertData& data, const QString& name);
/// By name.
std::vector<PlanFile> findPlans(const ExpertData& data);
/// "plan", "plan 2": what no plan of the model is called.
QString freePlanName(const ExpertData& data, const QString& wanted);

/// What the state makes of the model: compensated where its settings ask for it. Without hashes.
ExpertPlan appliedPlan(const ExpertData& data, const PlanState& state);
/// As it is written: with the hashes of the model and its statistics, and with the mass that each
/// task keeps after edits by hand.
ExpertPlan completePlan(const ExpertData& data, const SavedPlan& plan);
void savePlan(const ExpertData& data, const SavedPlan& plan, const std::filesystem::path& path);
/// @throws Error if it is no plan or does not fit the model
SavedPlan loadPlan(const ExpertData& data, const std::filesystem::path& path);

}  // namespace espalier::ui
