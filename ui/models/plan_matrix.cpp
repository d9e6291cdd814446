#include "ui/models/plan_matrix.h"

#include <QCoreApplication>
#include <algorithm>
#include <numeric>
#include <set>

#include "routing/criterion.h"

namespace espalier::ui {
namespace {

constexpr const char* routerNorm = "router_norm";

QString tr(const char* text) { return QCoreApplication::translate("PlanMatrix", text); }

/// Ids of a list of one layer's reasons.
std::vector<std::int32_t> idsOf(const Json& reasons, const char* name) {
    std::vector<std::int32_t> ids;
    const auto found = reasons.find(name);
    if (found == reasons.end() || !found->is_array()) return ids;
    for (const Json& id : *found) {
        if (id.is_number_integer()) ids.push_back(id.get<std::int32_t>());
    }
    return ids;
}

/// Calls each(layer, its reasons). Plans from elsewhere may have none, or others.
template <typename Each>
void forEachLayer(const PlanState& plan, const Each& each) {
    if (!plan.reasons || !plan.reasons->is_object()) return;
    const auto layers = plan.reasons->find("layers");
    if (layers == plan.reasons->end() || !layers->is_array()) return;
    for (const Json& layer : *layers) {
        if (!layer.is_object()) continue;
        const auto index = layer.find("layer");
        if (index != layer.end() && index->is_number_integer())
            each(index->get<std::int64_t>(), layer);
    }
}

void markLayer(const LayerPlan& plan, std::size_t begin, std::size_t experts, ExpertMarks& marks) {
    for (std::size_t e = 0; e < experts; ++e) {
        if (!std::binary_search(plan.kept.begin(), plan.kept.end(), static_cast<std::int32_t>(e)))
            marks.states[begin + e] |= CellState::Pruned;
    }
    const auto at = [&](std::int32_t id) -> CellStates& {
        return marks.states[begin + static_cast<std::size_t>(id)];
    };
    for (const std::int32_t id : plan.locked) at(id) |= CellState::Locked;
    for (const std::int32_t id : plan.forced_out) at(id) = CellState::ForcedOut;
    for (const auto& group : plan.groups) {
        for (std::size_t i = 1; i < group.size(); ++i) {
            at(group[i]) = CellState::Merged;
            marks.mergedInto[begin + static_cast<std::size_t>(group[i])] = group.front();
        }
    }
}

double shareOf(const std::vector<double>& values, const std::vector<std::int32_t>& kept) {
    const double total = std::accumulate(values.begin(), values.end(), 0.0);
    double sum = 0;
    for (const std::int32_t id : kept) sum += values[static_cast<std::size_t>(id)];
    return total > 0 ? sum / total : 1.0;
}

double percentOf(std::int64_t part, std::int64_t whole) {
    return whole > 0 ? 100.0 * static_cast<double>(part) / static_cast<double>(whole) : 0.0;
}

void markUncertain(const PlanState& plan, const ExpertMatrix& shape, ExpertMarks& marks) {
    forEachLayer(plan, [&](std::int64_t layer, const Json& reasons) {
        const auto place = std::lower_bound(shape.layers.begin(), shape.layers.end(), layer);
        if (place == shape.layers.end() || *place != layer) return;
        const auto begin = static_cast<std::size_t>(place - shape.layers.begin()) *
                           static_cast<std::size_t>(shape.numExperts);
        for (const std::int32_t id : idsOf(reasons, "uncertain")) {
            if (id >= 0 && id < shape.numExperts)
                marks.uncertain[begin + static_cast<std::size_t>(id)] = 1;
        }
    });
}

}  // namespace

std::vector<MatrixMetric> metricsOf(const ExpertData& data) {
    std::vector<MatrixMetric> metrics;
    for (const std::string& name : data.criteria) {
        if (name == kRandomCriterion) continue;
        const auto id = QString::fromStdString(name);
        const std::string_view description = find_criterion(name).description;
        metrics.push_back(
            {id, criterionName(id),
             QString::fromUtf8(description.data(), static_cast<qsizetype>(description.size()))});
    }
    metrics.push_back({QLatin1String(routerNorm), tr("router row (weights alone)"),
                       tr("Length of the expert's row in the router. Needs no texts and says "
                          "little.")});
    return metrics;
}

QString criterionName(const QString& criterion) {
    if (criterion == QLatin1String("frequency")) return tr("times chosen");
    if (criterion == QLatin1String("gate_mass")) return tr("sum of gates");
    return tr("saliency (%1)").arg(criterion);
}

LayerScores scoresOf(const ExpertData& data, const QString& metric,
                     std::optional<std::size_t> task) {
    return metric == QLatin1String(routerNorm) ? data.routerNorms
                                               : data.scores(metric.toStdString(), task);
}

ExpertMatrix matrixOf(const ExpertData& data, const LayerScores& scores, const QString& name) {
    ExpertMatrix matrix;
    matrix.metric = name;
    matrix.numExperts = static_cast<std::int32_t>(data.numExperts());
    for (const auto& [layer, values] : scores) {
        matrix.layers.push_back(layer);
        matrix.values.insert(matrix.values.end(), values.begin(), values.end());
        const double sum = std::accumulate(values.begin(), values.end(), 0.0);
        matrix.layerValues.push_back(sum / static_cast<double>(values.size()));
    }
    matrix.layerMetric = tr("mean of the layer");
    const std::int64_t groups = data.config.router.num_groups;
    if (groups > 1) {
        const auto size = static_cast<std::int32_t>(data.numExperts() / groups);
        for (std::size_t i = 0; i < matrix.size(); ++i)
            matrix.groups.push_back(static_cast<std::int32_t>(i) % matrix.numExperts / size);
    }
    return matrix;
}

std::vector<ExpertColumn> columnsOf(const ExpertData& data, const LayerScores& scores,
                                    const QString& name) {
    std::vector<ExpertColumn> columns{{QStringLiteral("score"), name, {}, {}},
                                      {QStringLiteral("rank"), tr("rank"), {}, {}}};
    for (const auto& [layer, row] : scores)
        columns[0].values.insert(columns[0].values.end(), row.begin(), row.end());
    for (const std::int32_t rank :
         ranksInLayers(columns[0].values, static_cast<std::int32_t>(data.numExperts())))
        columns[1].values.push_back(rank);
    if (!data.hasStats()) return columns;
    columns.push_back({QStringLiteral("tokens"), tr("tokens, %"), {}, {}});
    columns.push_back({QStringLiteral("gate"), tr("mean gate"), {}, {}});
    const std::size_t firstTask = columns.size();
    for (const std::string& task : data.stats.tasks) {
        const QString label = QString::fromStdString(task);
        columns.push_back({QStringLiteral("task:") + label, tr("of %1, %").arg(label), {}, {}});
    }
    for (const auto& [layer, row] : scores) {
        const LayerStats& stats = data.stats.layers.at(layer);
        const std::size_t experts = stats.count.size();
        for (std::size_t e = 0; e < experts; ++e) {
            columns[2].values.push_back(percentOf(stats.count[e], stats.tokens));
            const auto count = static_cast<double>(stats.count[e]);
            columns[3].values.push_back(count > 0 ? stats.gate_sum[e] / count : 0.0);
            for (std::size_t task = 0; task < data.stats.tasks.size(); ++task) {
                const std::size_t place = task * experts + e;
                columns[firstTask + task].values.push_back(
                    place < stats.task_count.size()
                        ? percentOf(stats.task_count[place], stats.task_tokens[task])
                        : 0.0);
            }
        }
    }
    return columns;
}

ExpertMarks marksOf(const ExpertData& data, const PlanState& plan) {
    ExpertMatrix shape;
    shape.numExperts = static_cast<std::int32_t>(data.numExperts());
    shape.layers = data.config.moe_layers();
    const auto experts = static_cast<std::size_t>(shape.numExperts);
    ExpertMarks marks;
    marks.states.resize(shape.size());
    marks.uncertain.resize(shape.size());
    if (plan.merges()) marks.mergedInto.resize(shape.size(), -1);
    std::size_t begin = 0;
    for (const std::int64_t layer : shape.layers) {
        const LayerPlan& row = *plan.layers.at(layer);
        markLayer(row, begin, experts, marks);
        marks.numKept.push_back(static_cast<std::int32_t>(row.kept.size()));
        if (data.hasStats()) {
            const LayerStats& stats = data.stats.layers.at(layer);
            for (std::size_t e = 0; e < experts; ++e) {
                if (stats.count[e] == 0) marks.states[begin + e] |= CellState::NeverRouted;
            }
            marks.shareKept.push_back(shareOf(stats.gated_norm_sum, row.kept));
        }
        begin += experts;
    }
    for (const auto& [layer, ids] : protectedExperts(plan)) {
        const auto place = std::lower_bound(shape.layers.begin(), shape.layers.end(), layer);
        if (place == shape.layers.end() || *place != layer) continue;
        const auto row = static_cast<std::size_t>(place - shape.layers.begin()) * experts;
        for (const std::int32_t id : ids) {
            if (id >= 0 && id < shape.numExperts && plan.keeps(layer, id))
                marks.states[row + static_cast<std::size_t>(id)] |= CellState::Protected;
        }
    }
    markUncertain(plan, shape, marks);
    return marks;
}

ExpertCells protectedExperts(const PlanState& plan) {
    ExpertCells cells;
    forEachLayer(plan, [&](std::int64_t layer, const Json& reasons) {
        std::set<std::int32_t> ids;
        for (const std::int32_t id : idsOf(reasons, "super_experts")) ids.insert(id);
        const auto champions = reasons.find("champions");
        if (champions != reasons.end() && champions->is_object()) {
            for (const auto& [task, best] : champions->items()) {
                for (const std::int32_t id : idsOf(*champions, task.c_str())) ids.insert(id);
            }
        }
        if (!ids.empty()) cells[layer].assign(ids.begin(), ids.end());
    });
    return cells;
}

}  // namespace espalier::ui
