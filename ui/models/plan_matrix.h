#pragma once

#include "ui/bridge/expert_data.h"
#include "ui/bridge/plan_state.h"
#include "ui/models/expert_matrix.h"
#include "ui/models/expert_table_model.h"

namespace espalier::ui {

/// What can be shown of every expert: a criterion's score, or what the weights alone tell.
struct MatrixMetric {
    QString id;    ///< "reap"; "router_norm" needs no statistics
    QString name;  ///< "saliency (reap)"
    QString tip;
};

/// What the data at hand suffice for; the criterion that is offered first stands first.
std::vector<MatrixMetric> metricsOf(const ExpertData& data);
/// "saliency (reap)".
QString criterionName(const QString& criterion);

/// @param task place in stats.tasks; none = all tokens
/// @throws Error if the statistics do not have it
LayerScores scoresOf(const ExpertData& data, const QString& metric,
                     std::optional<std::size_t> task = {});

/// Without marks.
ExpertMatrix matrixOf(const ExpertData& data, const LayerScores& scores, const QString& name);
/// The scores, and with statistics how often and with what gate each expert is chosen, by task too.
std::vector<ExpertColumn> columnsOf(const ExpertData& data, const LayerScores& scores,
                                    const QString& name);
ExpertMarks marksOf(const ExpertData& data, const PlanState& plan);
/// Which experts a rule keeps, whatever their score: super experts and champions of tasks.
ExpertCells protectedExperts(const PlanState& plan);

}  // namespace espalier::ui
