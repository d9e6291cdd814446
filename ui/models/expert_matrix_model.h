#pragma once

#include <QAbstractTableModel>
#include <functional>
#include <optional>
#include <vector>

#include "ui/models/expert_matrix.h"
#include "ui/models/matrix_scale.h"

namespace espalier::ui {

/// In which order a row shows the experts. But by number, columns have no common meaning: the
/// header says "rank" or "place".
enum class ExpertOrder { Number, Value, Group };
/// The order of the rows; but by number, the lowest comes first.
enum class LayerOrder { Number, NumKept, ShareKept, Metric };

/// The cells of an ExpertMatrix: a row a layer, a column an expert. New numbers of the same shape
/// change cells in place, so that selection and view stay.
class ExpertMatrixModel : public QAbstractTableModel {
    Q_OBJECT

public:
    enum Role {
        ValueRole = Qt::UserRole + 2,  ///< double, NaN = none
        StateRole,                     ///< CellStates
        UncertainRole,                 ///< bool
        /// "Layer 17, expert 42, saliency 0.113, rank 97 of 128, pruned"
        AccessibleTextRole = Qt::AccessibleTextRole
    };
    /// All metrics of a cell, for its tooltip.
    using Describe = std::function<QString(const ExpertCell&)>;

    using QAbstractTableModel::QAbstractTableModel;

    void setMatrix(ExpertMatrix matrix);
    const ExpertMatrix& matrix() const { return m_matrix; }
    /// For edits of the plan: the numbers stay.
    void updateStates(ExpertMarks marks);

    void setExpertOrder(ExpertOrder order);
    ExpertOrder expertOrder() const { return m_expertOrder; }
    void setLayerOrder(LayerOrder order);
    LayerOrder layerOrder() const { return m_layerOrder; }
    void setScale(MatrixScale scale);
    /// Limits that the user typed, in the numbers of the scale; none: percentiles of the matrix.
    /// @return false if the scale cannot use them; then nothing changes
    bool setFixedLimits(std::optional<MatrixLimits> limits);
    bool hasFixedLimits() const { return m_fixedLimits.has_value(); }
    void setDescription(Describe describe) { m_describe = std::move(describe); }

    const ScaledMatrix& scaled() const { return m_scaled; }
    /// Between which numbers of the scale the layers' cuts lie; none without a plan or if what is
    /// shown does not part the kept from the pruned.
    std::optional<MatrixLimits> cut() const;

    ExpertCell cellAt(int row, int column) const;
    ExpertCell cellAt(const QModelIndex& index) const {
        return cellAt(index.row(), index.column());
    }
    /// Invalid if the matrix has no such expert.
    QModelIndex indexOf(const ExpertCell& cell) const;
    /// Where a cell's numbers lie in the matrix, for painting many.
    std::size_t offsetOf(int row, int column) const;
    /// Position of a row's layer in the matrix.
    std::size_t layerOf(int row) const { return m_layers[static_cast<std::size_t>(row)]; }
    CellStates stateAt(std::size_t offset) const;
    bool isUncertain(std::size_t offset) const;
    /// "expert", or "rank" or "place" where columns have no common meaning.
    QString columnWord() const;
    /// "96/128"; empty without a plan.
    QString keptText(int row) const;
    /// Share of the layer's saliency that stays; none if unknown.
    std::optional<double> shareKept(int row) const;

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

Q_SIGNALS:
    /// Other limits or another scale: the legend and every colour.
    void scaleChanged();
    /// Kept counts and shares of layers.
    void marksChanged();

private:
    void rescale();
    void reorder();
    void computeOrder();
    std::vector<double> layerKeys() const;
    QString cellText(int row, int column) const;
    QString layerText(int row) const;
    void announceCells();

    ExpertMatrix m_matrix;
    ScaledMatrix m_scaled;
    Describe m_describe;
    std::optional<MatrixLimits> m_fixedLimits;
    MatrixScale m_scale = MatrixScale::Linear;
    ExpertOrder m_expertOrder = ExpertOrder::Number;
    LayerOrder m_layerOrder = LayerOrder::Number;
    std::vector<std::size_t> m_layers;    ///< row -> position of its layer
    std::vector<std::int32_t> m_experts;  ///< [layers, columns] -> expert, by position of the layer
    std::vector<std::int32_t> m_columns;  ///< [layers, experts] -> column
};

}  // namespace espalier::ui
