#pragma once

#include <QAbstractTableModel>
#include <vector>

#include "ui/models/expert_matrix.h"

namespace espalier::ui {

/// An expert that goes with another, and how strongly.
struct RelatedExpert {
    ExpertCell cell;
    double strength = 0;  ///< share of tokens, or a cosine
    bool operator==(const RelatedExpert&) const = default;
};

/// The experts that fire with one, or are most like it; strongest first.
class RelatedExpertsModel : public QAbstractTableModel {
    Q_OBJECT

public:
    enum Column { Expert, Strength, ColumnCount };
    /// What the strength is: shown as "41.0 %" or "0.93".
    enum class Measure { TokenShare, Similarity };

    explicit RelatedExpertsModel(Measure measure, QObject* parent = nullptr)
        : QAbstractTableModel(parent), m_measure(measure) {}

    void setExperts(std::vector<RelatedExpert> experts);
    const RelatedExpert& expert(int row) const { return m_experts[static_cast<std::size_t>(row)]; }

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    Measure m_measure;
    std::vector<RelatedExpert> m_experts;
};

}  // namespace espalier::ui
