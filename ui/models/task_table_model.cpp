#include "ui/models/task_table_model.h"

#include <QLocale>
#include <algorithm>
#include <numeric>
#include <span>
#include <utility>

#include "prune/expert_sets.h"
#include "prune/explain_plan.h"
#include "ui/models/format.h"
#include "ui/models/roles.h"

namespace espalier::ui {
namespace {

constexpr std::size_t championsOfLayer = 3;

/// Experts of one layer from the one that does most for a task to the one that does least.
std::vector<std::int32_t> byMass(std::span<const double> mass) {
    std::vector<std::int32_t> order(mass.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
        return mass[static_cast<std::size_t>(a)] > mass[static_cast<std::size_t>(b)];
    });
    return order;
}

/// The fewest that carry half, ascending.
std::vector<std::int32_t> carriersOf(std::span<const double> mass,
                                     const std::vector<std::int32_t>& order) {
    const double half = std::accumulate(mass.begin(), mass.end(), 0.0) / 2;
    std::vector<std::int32_t> carriers;
    double sum = 0;
    for (const std::int32_t id : order) {
        if (sum >= half) break;
        sum += mass[static_cast<std::size_t>(id)];
        carriers.push_back(id);
    }
    std::sort(carriers.begin(), carriers.end());
    return carriers;
}

QString championText(std::int64_t layer, const std::vector<std::int32_t>& order) {
    QStringList ids;
    for (std::size_t i = 0; i < std::min(championsOfLayer, order.size()); ++i)
        ids.append(QString::number(order[i]));
    return TaskTableModel::tr("layer %1: %2").arg(layer).arg(ids.join(QStringLiteral(", ")));
}

}  // namespace

std::vector<TaskLoad> taskLoads(const ExpertData& data, const PlanState& plan) {
    const ExpertStats& stats = data.stats;
    std::vector<TaskLoad> loads(stats.tasks.size());
    const auto experts = static_cast<std::size_t>(data.numExperts());
    const auto layers = static_cast<double>(std::max<std::size_t>(stats.layers.size(), 1));
    for (TaskLoad& load : loads) load.overlaps.assign(loads.size(), 0.0);
    for (const auto& [layer, row] : stats.layers) {
        if (row.task_gated_norm_sum.size() < loads.size() * experts) continue;
        std::vector<std::vector<std::int32_t>> carriers;
        for (std::size_t task = 0; task < loads.size(); ++task) {
            const auto mass = std::span(row.task_gated_norm_sum).subspan(task * experts, experts);
            const auto order = byMass(mass);
            carriers.push_back(carriersOf(mass, order));
            loads[task].tokens = row.task_tokens[task];
            loads[task].carriers += static_cast<double>(carriers.back().size()) / layers;
            loads[task].champions.append(championText(layer, order));
        }
        for (std::size_t a = 0; a < loads.size(); ++a) {
            for (std::size_t b = 0; b < loads.size(); ++b)
                loads[a].overlaps[b] += jaccard(carriers[a], carriers[b]) / layers;
        }
    }
    const auto mass = task_mass_kept(stats, planOf(plan));
    for (std::size_t task = 0; task < loads.size(); ++task) {
        loads[task].name = QString::fromStdString(stats.tasks[task]);
        const auto kept = mass.find(stats.tasks[task]);
        if (kept != mass.end()) loads[task].massKept = kept->second;
    }
    return loads;
}

void TaskTableModel::setLoads(std::vector<TaskLoad> loads) {
    const bool isSame = loads.size() == m_loads.size();
    if (!isSame) beginResetModel();
    m_loads = std::move(loads);
    if (!isSame) {
        endResetModel();
    } else if (!m_loads.empty()) {
        Q_EMIT dataChanged(index(0, 0), index(rowCount() - 1, columnCount() - 1));
        Q_EMIT headerDataChanged(Qt::Horizontal, 0, columnCount() - 1);
    }
}

int TaskTableModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(m_loads.size());
}

int TaskTableModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : FirstOverlap + static_cast<int>(m_loads.size());
}

QVariant TaskTableModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid)) return {};
    const TaskLoad& load = m_loads[static_cast<std::size_t>(index.row())];
    if (role == IdRole) return QStringLiteral("task:") + load.name;
    if (role == Qt::TextAlignmentRole && index.column() != Name)
        return QVariant(Qt::AlignRight | Qt::AlignVCenter);
    if (role == Qt::ToolTipRole) return load.champions.join(QLatin1Char('\n'));
    if (role != Qt::DisplayRole) return {};
    switch (index.column()) {
        case Name:
            return load.name;
        case Tokens:
            return format::integer(load.tokens);
        case Carriers:
            return QLocale().toString(load.carriers, 'f', 1);
        case MassKept:
            return format::percent(load.massKept);
        default:
            break;
    }
    return format::percent(load.overlaps[static_cast<std::size_t>(index.column() - FirstOverlap)]);
}

QVariant TaskTableModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal || role != Qt::DisplayRole) return {};
    switch (section) {
        case Name:
            return tr("Task");
        case Tokens:
            return tr("Tokens");
        case Carriers:
            return tr("Carry half");
        case MassKept:
            return tr("Output kept");
        default:
            break;
    }
    const auto task = static_cast<std::size_t>(section - FirstOverlap);
    return task < m_loads.size() ? tr("Shared with %1").arg(m_loads[task].name) : QVariant();
}

}  // namespace espalier::ui
