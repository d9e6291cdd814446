#include "ui/pages/experts_table_tab.h"

#include <QHBoxLayout>
#include <QHeaderView>
#include <QSignalBlocker>
#include <QTableView>
#include <QVBoxLayout>

#include "ui/bridge/expert_session.h"
#include "ui/models/expert_table_model.h"
#include "ui/models/plan_matrix.h"
#include "ui/models/table_text.h"
#include "ui/theme/metrics.h"
#include "ui/widgets/push_button.h"
#include "ui/widgets/table_setup.h"

namespace espalier::ui {

ExpertsTableTab::ExpertsTableTab(ExpertSession& session, QWidget* parent)
    : QWidget(parent),
      m_session(session),
      m_model(new ExpertTableModel(this)),
      m_sorted(new QSortFilterProxyModel(this)) {
    m_sorted->setSourceModel(m_model);
    m_sorted->setSortRole(Qt::EditRole);
    buildLayout();
    connect(&m_session, &ExpertSession::planChanged, this, [this] {
        if (m_session.data() && m_model->rowCount() > 0)
            m_model->updateStates(marksOf(*m_session.data(), m_session.plan()));
    });
    connect(
        m_table->selectionModel(), &QItemSelectionModel::currentRowChanged, this,
        [this](const QModelIndex& current) {
            if (current.isValid())
                Q_EMIT currentExpertChanged(m_model->cellAt(m_sorted->mapToSource(current).row()));
        });
}

void ExpertsTableTab::buildLayout() {
    m_table = new QTableView;
    m_table->setObjectName(QStringLiteral("exp_table_table"));
    m_table->setAccessibleName(tr("All experts"));
    m_table->setModel(m_sorted);
    setUpTable(*m_table);
    // To measure every row of a large model would take seconds.
    m_table->verticalHeader()->setSectionResizeMode(QHeaderView::Fixed);
    m_table->horizontalHeader()->setResizeContentsPrecision(32);
    m_table->horizontalHeader()->setSectionResizeMode(QHeaderView::ResizeToContents);
    m_table->setSortingEnabled(true);
    m_table->sortByColumn(ExpertTableModel::Layer, Qt::AscendingOrder);
    auto* save = new PushButton(QStringLiteral("exp_table_export_btn"), tr("Export table…"));
    connect(save, &QPushButton::clicked, this, &ExpertsTableTab::exportRequested);
    auto* line = new QHBoxLayout;
    line->addStretch(1);
    line->addWidget(save);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, space::controls, 0, 0);
    layout->setSpacing(space::controls);
    layout->addWidget(m_table, 1);
    layout->addLayout(line);
}

void ExpertsTableTab::showScores(const LayerScores& scores, const QString& name) {
    if (!m_session.data()) return m_model->setExperts({}, {});
    const ExpertData& known = *m_session.data();
    ExpertMatrix matrix = matrixOf(known, scores, name);
    if (!m_session.plan().isEmpty()) matrix.marks = marksOf(known, m_session.plan());
    m_model->setExperts(matrix, columnsOf(known, scores, name));
}

void ExpertsTableTab::chooseCell(const ExpertCell& cell) {
    const QModelIndex index = m_sorted->mapFromSource(m_model->indexOf(cell));
    if (!index.isValid() || index.row() == m_table->currentIndex().row()) return;
    const QSignalBlocker blocker(this);
    m_table->setCurrentIndex(index);
}

QByteArray ExpertsTableTab::csv() const { return tableText(*m_sorted, TableFormat::Csv); }

}  // namespace espalier::ui
