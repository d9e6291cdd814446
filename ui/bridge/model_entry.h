#pragma once

#include <QString>
#include <QStringList>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "store/look_at_model.h"

namespace espalier::ui {

/// Why a model is in the list: where it was found, or who knows of it.
enum class EntryOrigin { HubCache, LmStudio, Folder, Library, Run, Used };

/// Why a model cannot be compressed.
enum class Obstacle { None, NotRead, Incomplete, Damaged, NoExperts, UnknownFamily, UnknownType };

/// What a model's headers tell. Of one that Espalier cannot open, what they tell all the same.
struct ModelFacts {
    QString family;
    std::int64_t layers = 0;
    std::int64_t routedLayers = 0;
    std::int64_t hiddenSize = 0;
    std::int64_t experts = 0;
    std::int64_t topK = 0;
    std::int64_t sharedExperts = 0;
    std::int64_t contextLength = 0;
    std::uint64_t parameters = 0;
    std::uint64_t activeParameters = 0;
    std::uint64_t tensorBytes = 0;
    std::vector<std::pair<QString, std::uint64_t>> types;  ///< bytes by type, largest first
    std::uint64_t cachePerToken = 0;
    std::uint64_t cacheFixed = 0;
    std::uint64_t bufferBytes = 0;
    QString baseName;  ///< of the model that it was made from; empty for an original
    QString baseHash;
    QStringList stages;   ///< what was done to it, as recipes name it
    QString problem;      ///< why it cannot be opened and what to do; empty if it can
    QString problemCode;  ///< "E-ARCH-01"
    bool operator==(const ModelFacts&) const = default;
};

/// A row of the library of models.
struct ModelEntry {
    QString path;  ///< what opens it, and its identity
    QString name;
    QString publisher;
    EntryOrigin origin = EntryOrigin::Folder;
    QString libraryName;  ///< empty = no record in the library
    QString runFolder;    ///< the run whose result it is
    QString parentPath;   ///< the model that the run started from
    bool isOwnResult = false;
    ModelGap gap = ModelGap::None;
    QStringList missing;  ///< file names
    std::uint64_t bytes = 0;
    QString stamp;  ///< changes with the files
    qint64 usedUnix = 0;
    QString hash;
    QString note;
    std::optional<ModelFacts> facts;
    bool operator==(const ModelEntry&) const = default;

    bool isGguf() const;
    Obstacle obstacle() const;
    bool canCompress() const { return obstacle() == Obstacle::None; }
    bool canPlay() const;
};

/// Reads headers, never weights. Not for the GUI thread. What cannot be opened is told in
/// `problem`.
ModelFacts readModelFacts(const std::filesystem::path& path);

}  // namespace espalier::ui
