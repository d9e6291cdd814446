#pragma once

#include <QString>
#include <QStringList>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "data/dataset.h"
#include "store/library.h"

namespace espalier::ui {

/// A statistics file that says it is of a model, or that a run made of it.
struct StatsSource {
    QString path;
    QString runFolder;  ///< empty: it was imported
    QString modelHash;
    QStringList tasks;
    std::int64_t tokens = 0;
    std::int64_t measuredUnix = 0;
    std::vector<DataSource> data;  ///< texts of the run
    bool operator==(const StatsSource&) const = default;
};

/// Reads what a file says of itself, not its numbers. @throws Error if it holds no statistics
StatsSource readStatsSource(const std::filesystem::path& path);

/// What the model's runs in the library have measured, newest first, then what was imported for it.
/// Files that are gone or broken are left out.
std::vector<StatsSource> findStatsSources(Library& library, const QString& model);

/// Remembers a file for a model; it stays where it is. @throws Error if it holds no statistics
StatsSource importStats(const QString& model, const QString& path);

/// A copy for other people: the numbers alone, never the texts. @throws Error
void exportStats(const QString& from, const QString& to);

}  // namespace espalier::ui
