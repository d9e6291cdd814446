#include "ui/pages/runs_page.h"

#include <QHBoxLayout>
#include <QStackedWidget>
#include <QTableView>
#include <QVBoxLayout>

#include "ui/bridge/background_worker.h"
#include "ui/bridge/run_controller.h"
#include "ui/bridge/run_summary.h"
#include "ui/models/runs_model.h"
#include "ui/pages/runs_dashboard.h"
#include "ui/theme/metrics.h"
#include "ui/widgets/banner.h"
#include "ui/widgets/empty_state.h"
#include "ui/widgets/push_button.h"
#include "ui/widgets/table_setup.h"
#include "ui/widgets/text_label.h"

namespace espalier::ui {

RunsPage::RunsPage(const Services& services, QWidget* parent)
    : Page(parent),
      m_services(services),
      m_runs(new RunsModel(this)),
      m_stack(new QStackedWidget),
      m_empty(new EmptyState(
          QStringLiteral("runs"),
          {tr("No runs yet. A run turns one model into a smaller one, in up to four stages."),
           tr("Compress a model…"), tr("Try the sample")})),
      m_dashboard(new RunDashboard(services)) {
    setObjectName(QStringLiteral("runsPage"));
    m_list = makeList();
    for (QWidget* view : std::initializer_list<QWidget*>{m_list, m_empty, m_dashboard})
        m_stack->addWidget(view);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(space::sections, space::pageMargin, space::sections,
                               space::pageMargin);
    layout->addWidget(m_stack);
    connect(m_empty, &EmptyState::actionRequested, this, &RunsPage::compressRequested);
    connect(m_empty, &EmptyState::sampleRequested, this, &RunsPage::sampleRequested);
    connect(m_dashboard, &RunDashboard::listRequested, this, &RunsPage::showList);
    connect(m_dashboard, &RunDashboard::inspectRequested, this, &RunsPage::inspectRequested);
    connect(m_dashboard, &RunDashboard::playRequested, this, &RunsPage::playRequested);
    connect(m_dashboard, &RunDashboard::resumeRequested, this, &RunsPage::resumeRequested);
    connect(m_dashboard, &RunDashboard::loaded, this, &Page::pageReady);
    connect(&m_services.runs, &RunController::stateChanged, this, &RunsPage::refresh);
}

QWidget* RunsPage::makeList() {
    m_banner = new Banner(QStringLiteral("runs_banner"));
    m_table = new QTableView;
    m_table->setObjectName(QStringLiteral("runs_list_table"));
    m_table->setAccessibleName(tr("Runs"));
    m_table->setModel(m_runs);
    setUpTable(*m_table);
    m_open = (new PushButton(QStringLiteral("runs_list_open_btn"), tr("&Open")))->asPrimary();
    m_remove = new PushButton(QStringLiteral("runs_list_remove_btn"), tr("Re&move from list"));
    m_remove->setToolTip(tr("The folder of the run stays on the disk."));
    connect(m_table, &QTableView::activated, this, &RunsPage::openSelected);
    connect(m_table->selectionModel(), &QItemSelectionModel::selectionChanged, this,
            &RunsPage::updateButtons);
    connect(m_open, &QPushButton::clicked, this, &RunsPage::openSelected);
    connect(m_remove, &QPushButton::clicked, this, &RunsPage::removeSelected);
    auto* buttons = new QHBoxLayout;
    buttons->addWidget(m_open);
    buttons->addWidget(m_remove);
    buttons->addStretch(1);
    auto* list = new QWidget;
    auto* layout = new QVBoxLayout(list);
    layout->setContentsMargins({});
    layout->setSpacing(space::groups);
    layout->addWidget(new TextLabel(TextKind::Title, tr("Runs")));
    layout->addWidget(m_banner);
    layout->addWidget(m_table, 1);
    layout->addLayout(buttons);
    return list;
}

void RunsPage::arrange(bool isNarrow) {
    for (const int column : {RunsModel::Model, RunsModel::Took})
        m_table->setColumnHidden(column, isNarrow);
    m_dashboard->arrange(isNarrow);
}

void RunsPage::refresh() {
    const QString live = m_services.runs.isBusy() ? m_services.runs.folder() : QString();
    m_services.worker.ask(
        this, "runs", [live](TaskContext& context) { return readRuns(context.library(), live); },
        [this](std::vector<RunSummary> runs) { takeRuns(std::move(runs)); },
        [this](const Failure& failure) {
            m_banner->showError(failure.code, failure.message, failure.hint);
        });
}

void RunsPage::takeRuns(std::vector<RunSummary> runs) {
    m_runs->setRuns(std::move(runs));
    const bool isEmpty = m_runs->rowCount() == 0;
    if (m_stack->currentWidget() != m_dashboard) {
        m_stack->setCurrentWidget(isEmpty ? static_cast<QWidget*>(m_empty) : m_list);
    }
    if (!isEmpty && m_table->selectionModel()->selectedRows().isEmpty()) m_table->selectRow(0);
    updateButtons();
    Q_EMIT pageReady();
}

void RunsPage::updateButtons() {
    const QModelIndexList rows = m_table->selectionModel()->selectedRows();
    m_open->setEnabled(!rows.isEmpty());
    m_remove->setEnabled(!rows.isEmpty() &&
                         m_runs->run(rows.first().row()).state != QLatin1String("running"));
}

void RunsPage::openSelected() {
    const QModelIndexList rows = m_table->selectionModel()->selectedRows();
    if (!rows.isEmpty()) openRun(m_runs->run(rows.first().row()).path);
}

void RunsPage::removeSelected() {
    const QModelIndexList rows = m_table->selectionModel()->selectedRows();
    if (rows.isEmpty()) return;
    const std::string path = m_runs->run(rows.first().row()).path.toStdString();
    m_services.worker.run([path](TaskContext& context) { context.library().remove_run(path); });
    refresh();
}

void RunsPage::openRun(const QString& folder) {
    m_dashboard->open(folder);
    m_stack->setCurrentWidget(m_dashboard);
}

void RunsPage::showList() {
    m_stack->setCurrentWidget(m_list);
    refresh();
    m_table->setFocus(Qt::OtherFocusReason);
}

void RunsPage::showFailure(const Failure& failure) { m_dashboard->showFailure(failure); }

void RunsPage::activatePrimary() {
    if (m_stack->currentWidget() == m_list) openSelected();
}

bool RunsPage::cancelCurrent() {
    if (m_stack->currentWidget() != m_dashboard) return false;
    showList();
    return true;
}

}  // namespace espalier::ui
