#pragma once

#include <QAbstractTableModel>
#include <QStringList>
#include <vector>

#include "ui/models/expert_matrix.h"

namespace espalier::ui {

/// One statistic of all experts.
struct ExpertColumn {
    QString id;      ///< stable: "frequency"
    QString header;  ///< with the unit: "tokens, %"
    QString tip;
    std::vector<double> values;  ///< [layers, experts]; NaN = none
};

/// Every statistic of every expert: a row an expert, sortable by each column through
/// QSortFilterProxyModel with Qt::EditRole. New states leave the rows where they are.
class ExpertTableModel : public QAbstractTableModel {
    Q_OBJECT

public:
    /// The first columns; those of the statistics follow.
    enum Column { Layer, Expert, State, NumFixed };

    using QAbstractTableModel::QAbstractTableModel;

    /// @param matrix gives layers, experts and marks; its values are not shown
    void setExperts(const ExpertMatrix& matrix, std::vector<ExpertColumn> columns);
    void updateStates(ExpertMarks marks);
    ExpertCell cellAt(int row) const;
    /// Invalid if there is no such expert.
    QModelIndex indexOf(const ExpertCell& cell) const;

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    QVariant number(std::size_t row, int column) const;
    QString text(std::size_t row, int column) const;

    std::vector<std::int64_t> m_layers;
    std::int32_t m_numExperts = 0;
    ExpertMarks m_marks;
    std::vector<ExpertColumn> m_columns;
};

}  // namespace espalier::ui
