#pragma once

#include <QString>
#include <QStringList>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/dataset.h"
#include "infer/memory_need.h"
#include "model/moe_config.h"
#include "routing/expert_stats.h"

namespace espalier::ui {

/// Scores of every routed layer, [experts] each.
using LayerScores = std::map<std::int64_t, std::vector<double>>;

/// What the expert inspector knows of one model and its statistics. Never changed once it is read,
/// so threads may share it.
struct ExpertData {
    QString model;  ///< path
    QString modelName;
    std::string modelHash;
    QString statsPath;  ///< empty: there are none, and only the weights speak
    ExpertStats stats;
    MoeConfig config;
    bool isOtherRevision = false;  ///< the statistics are of other weights of this shape
    std::uint64_t modelBytes = 0;  ///< of tensors
    std::map<std::int64_t, std::uint64_t> expertBytes;  ///< of one expert with its router row
    MemoryNeed memory;                                  ///< beside the weights
    std::vector<std::string> criteria;  ///< whose statistics are there, as core names them
    std::vector<DataSource> data;       ///< texts that were calibrated on; empty = not known
    LayerScores routerNorms;            ///< length of each expert's router row

    bool hasStats() const { return !statsPath.isEmpty(); }
    std::int64_t numExperts() const { return config.router.num_experts; }
    /// By a criterion, of the tokens of one task (its place in stats.tasks) or of all.
    /// @throws Error if the statistics do not have what it needs
    LayerScores scores(std::string_view criterion, std::optional<std::size_t> task = {}) const;
    bool hasCriterion(std::string_view name) const;
    /// Whether what merging takes was gathered.
    bool canMerge() const;
    /// Whether gates grow when experts go, and it is known by how much.
    bool canCompensate() const;
};

using ExpertDataPtr = std::shared_ptr<const ExpertData>;

struct ExpertDataRequest {
    QString model;
    QString stats;                 ///< empty: only what the weights tell
    std::vector<DataSource> data;  ///< see ExpertData::data
};

/// Opens the model, reads the statistics with the texts of its strongest tokens and finds out what
/// they suffice for. Not for the GUI thread. @throws Error, also for statistics of a model of
/// another shape; those of other weights of the same shape are marked
ExpertDataPtr readExpertData(const ExpertDataRequest& request);

}  // namespace espalier::ui
