#pragma once

#include <QSortFilterProxyModel>
#include <QWidget>

#include "ui/bridge/expert_data.h"
#include "ui/models/expert_matrix.h"

class QTableView;

namespace espalier::ui {

class ExpertSession;
class ExpertTableModel;

/// Everything of every expert as a table to sort.
class ExpertsTableTab : public QWidget {
    Q_OBJECT

public:
    explicit ExpertsTableTab(ExpertSession& session, QWidget* parent = nullptr);

    void showScores(const LayerScores& scores, const QString& name);
    void chooseCell(const ExpertCell& cell);
    /// In the order in which it is shown, with full precision.
    QByteArray csv() const;

Q_SIGNALS:
    void currentExpertChanged(const espalier::ui::ExpertCell& cell);
    void exportRequested();

private:
    void buildLayout();

    ExpertSession& m_session;
    ExpertTableModel* m_model;
    QSortFilterProxyModel* m_sorted;
    QTableView* m_table;
};

}  // namespace espalier::ui
