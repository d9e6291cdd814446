#pragma once

#include <QString>
#include <vector>

#include "data/dataset.h"
#include "pipeline/plan_estimate.h"
#include "pipeline/runner.h"
#include "prune/write_pruned.h"
#include "ui/bridge/expert_data.h"
#include "ui/bridge/plan_files.h"

namespace espalier::ui {

/// What statistics are collected on.
struct CollectDraft {
    QString model;
    std::vector<DataSource> data;
    std::int64_t tokens = 250'000;
    std::int64_t context = 2048;
    bool gathersAll = false;     ///< what the costlier criteria need, too
    bool endsEarly = false;      ///< once half of the experts would be chosen as before
    bool writesOwnText = false;  ///< the model adds what it makes of them
};

/// The stage calibrate alone.
Recipe collectRecipe(const CollectDraft& draft);
/// Time, memory and disk beforehand. Not for the GUI thread. @throws Error
StageEstimate estimateCollect(const CollectDraft& draft);
RunRequest collectRun(const CollectDraft& draft);
/// Where such a run in `folder` leaves the statistics.
QString statisticsOf(const QString& folder);
/// As the command line says it.
QString collectCommand(const CollectDraft& draft);

/// Cuts the model by a plan.
struct ApplyDraft {
    ExpertDataPtr data;
    SavedPlan plan;
    QString name;                     ///< of the run
    std::vector<std::string> accept;  ///< warnings that the user takes on
    PruneFormat format = PruneFormat::Common;
};

/// Writes the plan where the run finds it and makes the stage prune alone. Not for the GUI thread.
/// @throws Error if the plan cannot be written into the model
RunRequest applyRun(const ApplyDraft& draft);
QString applyCommand(const ApplyDraft& draft);

/// The words of a path for a shell.
QString shellQuoted(const std::filesystem::path& path);

}  // namespace espalier::ui
