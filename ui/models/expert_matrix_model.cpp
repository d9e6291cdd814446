#include "ui/models/expert_matrix_model.h"

#include <QLocale>
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "ui/models/format.h"
#include "ui/models/roles.h"

namespace espalier::ui {
namespace {

QString number(double value, bool hasSign) {
    const QString text = QLocale().toString(value, 'g', 3);
    return hasSign && value > 0 ? QStringLiteral("+") + text : text;
}

}  // namespace

void ExpertMatrixModel::setMatrix(ExpertMatrix matrix) {
    if (matrix.ranks.empty()) matrix.ranks = ranksInLayers(matrix.values, matrix.numExperts);
    const bool isSame = matrix.hasShapeOf(m_matrix);
    if (!isSame) beginResetModel();
    if (matrix.metric != m_matrix.metric) m_fixedLimits.reset();  // they were another metric's
    m_matrix = std::move(matrix);
    m_scaled = ScaledMatrix(m_matrix, m_scale, m_fixedLimits);
    if (isSame) {
        reorder();
        announceCells();
    } else {
        computeOrder();
        endResetModel();
    }
    Q_EMIT scaleChanged();
    Q_EMIT marksChanged();
}

void ExpertMatrixModel::updateStates(ExpertMarks marks) {
    if (marks == m_matrix.marks) return;
    m_matrix.marks = std::move(marks);
    if (m_layerOrder == LayerOrder::NumKept || m_layerOrder == LayerOrder::ShareKept) reorder();
    if (rowCount() > 0 && columnCount() > 0) {
        Q_EMIT dataChanged(index(0, 0), index(rowCount() - 1, columnCount() - 1),
                           {StateRole, UncertainRole, AccessibleTextRole, Qt::ToolTipRole});
        Q_EMIT headerDataChanged(Qt::Vertical, 0, rowCount() - 1);
    }
    Q_EMIT marksChanged();
}

void ExpertMatrixModel::announceCells() {
    if (rowCount() == 0 || columnCount() == 0) return;
    Q_EMIT dataChanged(index(0, 0), index(rowCount() - 1, columnCount() - 1));
    Q_EMIT headerDataChanged(Qt::Vertical, 0, rowCount() - 1);
}

void ExpertMatrixModel::setExpertOrder(ExpertOrder order) {
    if (order == m_expertOrder) return;
    m_expertOrder = order;
    reorder();
    if (columnCount() > 0) Q_EMIT headerDataChanged(Qt::Horizontal, 0, columnCount() - 1);
}

void ExpertMatrixModel::setLayerOrder(LayerOrder order) {
    if (order == m_layerOrder) return;
    m_layerOrder = order;
    reorder();
    if (rowCount() > 0) Q_EMIT headerDataChanged(Qt::Vertical, 0, rowCount() - 1);
}

void ExpertMatrixModel::setScale(MatrixScale scale) {
    if (scale == m_scale) return;
    m_scale = scale;
    m_fixedLimits.reset();  // they were another scale's
    rescale();
}

bool ExpertMatrixModel::setFixedLimits(std::optional<MatrixLimits> limits) {
    if (limits && !isValid(*limits, m_scaled.scale())) return false;
    m_fixedLimits = limits;
    rescale();
    return true;
}

void ExpertMatrixModel::rescale() {
    m_scaled = ScaledMatrix(m_matrix, m_scale, m_fixedLimits);
    announceCells();
    Q_EMIT scaleChanged();
}

std::vector<double> ExpertMatrixModel::layerKeys() const {
    switch (m_layerOrder) {
        case LayerOrder::NumKept:
            return {m_matrix.marks.numKept.begin(), m_matrix.marks.numKept.end()};
        case LayerOrder::ShareKept:
            return m_matrix.marks.shareKept;
        case LayerOrder::Metric:
            return m_matrix.layerValues;
        case LayerOrder::Number:
            break;
    }
    return {};
}

void ExpertMatrixModel::computeOrder() {
    const auto width = static_cast<std::size_t>(m_matrix.numExperts);
    m_layers.resize(m_matrix.layers.size());
    std::iota(m_layers.begin(), m_layers.end(), std::size_t{0});
    if (const std::vector<double> keys = layerKeys(); keys.size() == m_layers.size()) {
        std::stable_sort(m_layers.begin(), m_layers.end(),
                         [&](std::size_t a, std::size_t b) { return keys[a] < keys[b]; });
    }
    m_experts.resize(m_matrix.size());
    m_columns.resize(m_matrix.size());
    const bool hasGroups = m_matrix.groups.size() == m_matrix.size();
    for (std::size_t begin = 0; begin < m_experts.size(); begin += width) {
        const auto first = m_experts.begin() + static_cast<std::ptrdiff_t>(begin);
        const auto last = first + m_matrix.numExperts;
        std::iota(first, last, 0);
        const auto keyOf = [&](std::int32_t expert) {
            const std::size_t cell = begin + static_cast<std::size_t>(expert);
            if (m_expertOrder == ExpertOrder::Group && hasGroups) return m_matrix.groups[cell];
            return m_expertOrder == ExpertOrder::Value ? m_matrix.ranks[cell] : expert;
        };
        std::stable_sort(first, last,
                         [&](std::int32_t a, std::int32_t b) { return keyOf(a) < keyOf(b); });
        for (std::size_t i = 0; i < width; ++i)
            m_columns[begin + static_cast<std::size_t>(m_experts[begin + i])] =
                static_cast<std::int32_t>(i);
    }
}

void ExpertMatrixModel::reorder() {
    Q_EMIT layoutAboutToBeChanged();
    const QModelIndexList before = persistentIndexList();
    std::vector<ExpertCell> cells;
    std::transform(before.begin(), before.end(), std::back_inserter(cells),
                   [this](const QModelIndex& index) { return cellAt(index); });
    computeOrder();
    QModelIndexList after;
    for (const ExpertCell& cell : cells) after.append(indexOf(cell));
    changePersistentIndexList(before, after);
    Q_EMIT layoutChanged();
}

std::optional<MatrixLimits> ExpertMatrixModel::cut() const {
    const auto width = static_cast<std::size_t>(m_matrix.numExperts);
    const double sign = m_scaled.scale() == MatrixScale::Rank ? -1 : 1;
    constexpr double infinite = std::numeric_limits<double>::infinity();
    std::optional<MatrixLimits> found;
    for (std::size_t begin = 0; begin < m_matrix.size(); begin += width) {
        double kept = infinite;
        double gone = -infinite;
        for (std::size_t cell = begin; cell < begin + width; ++cell) {
            const CellStates states = stateAt(cell);
            const double value = sign * m_scaled.shown(cell);
            const bool isByHand = states.testFlag(CellState::Locked) ||
                                  states.testFlag(CellState::ForcedOut) ||
                                  states.testFlag(CellState::Protected);
            if (std::isnan(value) || isByHand) continue;
            if (states & (CellState::Pruned | CellState::Merged)) {
                gone = std::max(gone, value);
            } else {
                kept = std::min(kept, value);
            }
        }
        if (std::isinf(kept) || std::isinf(gone)) continue;
        if (gone > kept) return {};
        const double middle = sign * (kept + gone) / 2;
        found = found ? MatrixLimits{std::min(found->low, middle), std::max(found->high, middle)}
                      : MatrixLimits{middle, middle};
    }
    return found;
}

std::size_t ExpertMatrixModel::offsetOf(int row, int column) const {
    const std::size_t begin = layerOf(row) * static_cast<std::size_t>(m_matrix.numExperts);
    return begin + static_cast<std::size_t>(m_experts[begin + static_cast<std::size_t>(column)]);
}

ExpertCell ExpertMatrixModel::cellAt(int row, int column) const {
    const std::size_t layer = layerOf(row);
    const std::size_t begin = layer * static_cast<std::size_t>(m_matrix.numExperts);
    return {m_matrix.layers[layer], m_experts[begin + static_cast<std::size_t>(column)]};
}

QModelIndex ExpertMatrixModel::indexOf(const ExpertCell& cell) const {
    if (cell.expert < 0 || cell.expert >= m_matrix.numExperts) return {};
    for (int row = 0; row < rowCount(); ++row) {
        const std::size_t layer = layerOf(row);
        if (m_matrix.layers[layer] != cell.layer) continue;
        return index(row, m_columns[layer * static_cast<std::size_t>(m_matrix.numExperts) +
                                    static_cast<std::size_t>(cell.expert)]);
    }
    return {};
}

CellStates ExpertMatrixModel::stateAt(std::size_t offset) const {
    const auto& states = m_matrix.marks.states;
    return offset < states.size() ? states[offset] : CellStates();
}

bool ExpertMatrixModel::isUncertain(std::size_t offset) const {
    const auto& uncertain = m_matrix.marks.uncertain;
    return offset < uncertain.size() && uncertain[offset] != 0;
}

QString ExpertMatrixModel::columnWord() const {
    if (m_expertOrder == ExpertOrder::Value) return tr("rank");
    return m_expertOrder == ExpertOrder::Group ? tr("place", "of an expert in a row")
                                               : tr("expert");
}

QString ExpertMatrixModel::keptText(int row) const {
    const std::size_t layer = layerOf(row);
    if (layer >= m_matrix.marks.numKept.size()) return {};
    return QStringLiteral("%1/%2").arg(m_matrix.marks.numKept[layer]).arg(m_matrix.numExperts);
}

std::optional<double> ExpertMatrixModel::shareKept(int row) const {
    const std::size_t layer = layerOf(row);
    if (layer >= m_matrix.marks.shareKept.size()) return {};
    const double share = m_matrix.marks.shareKept[layer];
    return std::isnan(share) ? std::nullopt : std::optional(share);
}

int ExpertMatrixModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(m_matrix.layers.size());
}

int ExpertMatrixModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() || m_matrix.layers.empty() ? 0 : m_matrix.numExperts;
}

QString ExpertMatrixModel::cellText(int row, int column) const {
    const ExpertCell cell = cellAt(row, column);
    const std::size_t offset = offsetOf(row, column);
    const double value = m_matrix.values[offset];
    QStringList parts{tr("Layer %1").arg(cell.layer), tr("expert %1").arg(cell.expert)};
    if (std::isfinite(value)) {
        const QString text = number(value, m_matrix.isDifference);
        parts.append(
            m_matrix.unit.isEmpty()
                ? tr("%1 %2", "metric, value").arg(m_matrix.metric, text)
                : tr("%1 %2 %3", "metric, value, unit").arg(m_matrix.metric, text, m_matrix.unit));
        parts.append(tr("rank %1 of %2").arg(m_matrix.ranks[offset]).arg(m_matrix.numExperts));
    } else {
        parts.append(tr("no %1", "metric").arg(m_matrix.metric));
    }
    const QString states = m_matrix.marks.textOf(offset);
    if (!states.isEmpty()) parts.append(states);
    return parts.join(QStringLiteral(", "));
}

QVariant ExpertMatrixModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid)) return {};
    const ExpertCell cell = cellAt(index);
    const std::size_t offset = offsetOf(index.row(), index.column());
    switch (role) {
        case IdRole:
            return cellId(cell);
        case ValueRole:
            return m_matrix.values[offset];
        case StateRole:
            return QVariant::fromValue(stateAt(offset));
        case UncertainRole:
            return isUncertain(offset);
        case AccessibleTextRole:
            return cellText(index.row(), index.column());
        case Qt::ToolTipRole:
            return m_describe ? m_describe(cell) : cellText(index.row(), index.column());
        default:
            return {};
    }
}

QString ExpertMatrixModel::layerText(int row) const {
    QStringList parts{tr("layer %1").arg(m_matrix.layers[layerOf(row)])};
    if (!keptText(row).isEmpty()) {
        parts.append(tr("%1 of %2 experts stay")
                         .arg(m_matrix.marks.numKept[layerOf(row)])
                         .arg(m_matrix.numExperts));
    }
    if (const auto share = shareKept(row))
        parts.append(tr("%1 of the saliency").arg(format::percent(*share)));
    return parts.join(QStringLiteral(", "));
}

QVariant ExpertMatrixModel::headerData(int section, Qt::Orientation orientation, int role) const {
    const bool isLayer = orientation == Qt::Vertical;
    if (section < 0 || section >= (isLayer ? rowCount() : columnCount())) return {};
    // Ranks count from one, numbers of experts from zero.
    const int column = section + (m_expertOrder == ExpertOrder::Number ? 0 : 1);
    switch (role) {
        case Qt::DisplayRole:
            if (isLayer) return QStringLiteral("L%1").arg(m_matrix.layers[layerOf(section)]);
            return QString::number(column);
        case Qt::AccessibleTextRole:
        case Qt::ToolTipRole:
            if (isLayer) return layerText(section);
            return tr("%1 %2", "expert or rank, number").arg(columnWord()).arg(column);
        default:
            return {};
    }
}

}  // namespace espalier::ui
