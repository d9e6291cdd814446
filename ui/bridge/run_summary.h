#pragma once

#include <QDateTime>
#include <QList>
#include <QMetaType>
#include <QString>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/events.h"
#include "pipeline/recipe.h"
#include "store/library.h"

namespace espalier::ui {

/// A run as lists show it.
struct RunSummary {
    QString path;
    QString name;
    QString model;
    QString state;  ///< "running", "finished", "stopped", "failed", "interrupted"
    QString resultPath;
    std::uint64_t resultBytes = 0;
    QDateTime started;
    QDateTime ended;
    bool folderExists = true;
    bool operator==(const RunSummary&) const = default;
};

/// A run as its dashboard shows it when it is not being watched live.
struct RunDetails {
    RunSummary summary;
    std::vector<std::string> stages;  ///< the recipe's
    std::vector<StageRecord> finished;
    std::vector<RoutingRecord> routing;
    std::map<std::string, double> metrics;
    std::map<std::int64_t, std::vector<std::int32_t>>
        kept;                  ///< by layer, from the run's expert plan
    std::vector<Json> rounds;  ///< as pruning in rounds records them, see progressive_prune.h
    QString statsPath;       ///< what the run measured of the model it began with; empty = nothing
    QString routingVerdict;  ///< "pass", "warn", "fail"; empty = not compared
    QString routingReasons;
    std::vector<LogLine> log;  ///< the newest lines of its log file
};

/// Newest first. A record that says "running" although no live process holds its folder is
/// "interrupted".
std::vector<RunSummary> readRuns(Library& library, const QString& liveFolder);
RunDetails readRunDetails(Library& library, const QString& path, const QString& liveFolder);

}  // namespace espalier::ui
