#include "ui/pages/experts_tasks_tab.h"

#include <QHeaderView>
#include <QTableView>
#include <QVBoxLayout>

#include "ui/bridge/expert_session.h"
#include "ui/models/task_table_model.h"
#include "ui/theme/metrics.h"
#include "ui/widgets/table_setup.h"
#include "ui/widgets/text_label.h"

namespace espalier::ui {

ExpertsTasksTab::ExpertsTasksTab(ExpertSession& session, QWidget* parent)
    : QWidget(parent), m_session(session), m_model(new TaskTableModel(this)) {
    buildLayout();
    connect(&m_session, &ExpertSession::planChanged, this, &ExpertsTasksTab::showLoads);
    connect(m_table->selectionModel(), &QItemSelectionModel::currentRowChanged, this,
            &ExpertsTasksTab::showChampions);
    showLoads();
}

void ExpertsTasksTab::buildLayout() {
    m_table = new QTableView;
    m_table->setObjectName(QStringLiteral("exp_tasks_table"));
    m_table->setAccessibleName(tr("Tasks"));
    m_table->setModel(m_model);
    setUpTable(*m_table);
    // Names are short, and what the others need must not take them away.
    m_table->horizontalHeader()->setSectionResizeMode(0, QHeaderView::ResizeToContents);
    m_table->horizontalHeader()->setStretchLastSection(true);
    m_title = new TextLabel(TextKind::Heading);
    m_champions = new TextLabel(TextKind::Body);
    m_champions->setObjectName(QStringLiteral("exp_tasks_champions_label"));
    m_champions->setTextInteractionFlags(Qt::TextSelectableByMouse);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, space::controls, 0, 0);
    layout->setSpacing(space::controls);
    layout->addWidget(m_table, 1);
    layout->addWidget(m_title);
    layout->addWidget(m_champions);
}

void ExpertsTasksTab::showLoads() {
    const ExpertDataPtr& known = m_session.data();
    const bool hasTasks = known && known->hasStats() && !known->stats.tasks.empty();
    m_model->setLoads(hasTasks ? taskLoads(*known, m_session.plan()) : std::vector<TaskLoad>{});
    m_table->setVisible(hasTasks);
    if (hasTasks && !m_table->currentIndex().isValid())
        m_table->setCurrentIndex(m_model->index(0, 0));
    showChampions();
}

void ExpertsTasksTab::showChampions() {
    const int row = m_table->currentIndex().row();
    if (row < 0 || row >= m_model->rowCount()) {
        m_title->clear();
        m_champions->setText(
            tr("These statistics do not tell tasks apart. Collect them on texts "
               "with task labels."));
        return;
    }
    const TaskLoad& load = m_model->loads()[static_cast<std::size_t>(row)];
    m_title->setText(tr("Strongest experts of %1").arg(load.name));
    m_champions->setText(load.champions.join(QStringLiteral("   ")));
}

}  // namespace espalier::ui
