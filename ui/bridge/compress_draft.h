#pragma once

#include <QString>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "data/dataset.h"
#include "pipeline/recipe.h"

namespace espalier::ui {

/// What the wizard asks, in its own terms. Becomes a recipe; a recipe of its shape becomes it
/// again.
struct CompressDraft {
    static constexpr std::int64_t undecided = -1;

    QString model;
    QString name;
    std::int64_t keepExperts = undecided;  ///< in each layer; 0 = all
    QString criterion = QStringLiteral("auto");
    double searchSeconds = 120;  ///< for auto
    QString stats;               ///< what calibration gathers beside the cheap statistics
    QString fileType = QStringLiteral("q4_k_m");  ///< empty = stays a hub folder
    std::vector<DataSource> data;
    std::vector<DataSource> measured;  ///< texts to compare the models on
    std::int64_t tokens = 1'000'000;
    std::uint64_t seed = 0;
    std::int64_t contextLength = 0;  ///< the model's own; 0 = not known yet
    bool operator==(const CompressDraft&) const = default;
};

Recipe makeRecipe(const CompressDraft& draft);
CompressDraft draftFromRecipe(const Recipe& recipe);

/// The last part of its path; "…/Qwen3/model" is called after the folder that holds it, a snapshot
/// in a hub cache after its repository.
QString modelName(const QString& path);

/// "<model>-keep16-q4_k_m".
QString suggestedName(const CompressDraft& draft);

/// The bundled sample, ready to start.
CompressDraft sampleDraft(const QString& folder);

/// data folder / drafts / compress.json
std::filesystem::path draftPath();
/// data folder / runs / name, with a number where that is taken.
std::filesystem::path freeRunFolder(const QString& name);

}  // namespace espalier::ui
