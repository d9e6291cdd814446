#include "ui/pages/experts_expert_tab.h"

#include <QBoxLayout>
#include <QLabel>
#include <QSignalBlocker>
#include <QSpinBox>
#include <QTableView>
#include <cmath>
#include <numeric>

#include "ui/bridge/expert_session.h"
#include "ui/charts/gate_histogram.h"
#include "ui/charts/task_chart.h"
#include "ui/models/contexts_model.h"
#include "ui/models/related_experts_model.h"
#include "ui/theme/metrics.h"
#include "ui/widgets/info_view.h"
#include "ui/widgets/push_button.h"
#include "ui/widgets/table_setup.h"

namespace espalier::ui {
namespace {

/// So that the plan below stays in sight in a window of the default size.
constexpr int linesOfTables = 6;
constexpr int linesOfCharts = 9;

}  // namespace

ExpertsExpertTab::ExpertsExpertTab(ExpertSession& session, QWidget* parent)
    : QWidget(parent),
      m_session(session),
      m_partners(new RelatedExpertsModel(RelatedExpertsModel::Measure::TokenShare, this)),
      m_contexts(new ContextsModel(this)) {
    buildLayout();
    connect(&m_session, &ExpertSession::dataChanged, this, &ExpertsExpertTab::showData);
    connect(m_layer, &QSpinBox::valueChanged, this, &ExpertsExpertTab::choose);
    connect(m_expert, &QSpinBox::valueChanged, this, &ExpertsExpertTab::choose);
    connect(m_show, &QPushButton::clicked, this, [this] {
        m_contexts->setShowsText(!m_contexts->showsText());
        m_show->setText(m_contexts->showsText() ? tr("Hide texts") : tr("Show texts…"));
    });
    showData();
}

QWidget* ExpertsExpertTab::makeChoice() {
    m_layer = new QSpinBox;
    m_layer->setObjectName(QStringLiteral("exp_expert_layer_spin"));
    m_layer->setAccessibleName(tr("Layer"));
    m_expert = new QSpinBox;
    m_expert->setObjectName(QStringLiteral("exp_expert_number_spin"));
    m_expert->setAccessibleName(tr("Expert"));
    m_show = new PushButton(QStringLiteral("exp_expert_text_btn"), tr("Show texts…"));
    m_show->setToolTip(tr("The tokens of your texts that it had the largest gates for."));
    auto* choice = new QWidget;
    auto* line = new QHBoxLayout(choice);
    line->setContentsMargins({});
    line->setSpacing(space::controls);
    line->addWidget(new QLabel(tr("Layer")));
    line->addWidget(m_layer);
    line->addWidget(new QLabel(tr("Expert")));
    line->addWidget(m_expert);
    line->addStretch(1);
    line->addWidget(m_show);
    return choice;
}

void ExpertsExpertTab::buildLayout() {
    m_gates = new GateHistogram(QStringLiteral("exp_expert_gates_chart"));
    m_gates->setEmptyText(tr("Nothing was gathered of this expert's gates."));
    m_rows = new InfoView(QStringLiteral("exp_expert_view"));
    m_rows->setAccessibleName(tr("What this expert does"));
    m_tasks = new TaskChart(QStringLiteral("exp_expert_tasks_chart"));
    m_tasks->setEmptyText(tr("These statistics do not tell tasks apart."));
    for (ChartPanel* chart : {static_cast<ChartPanel*>(m_gates), static_cast<ChartPanel*>(m_tasks)})
        chart->setLeastLines(linesOfCharts);
    m_texts = new QTableView;
    m_texts->setObjectName(QStringLiteral("exp_expert_texts_table"));
    m_texts->setAccessibleName(tr("Strongest tokens"));
    m_texts->setModel(m_contexts);
    setUpTable(*m_texts);
    m_texts->setMinimumHeight(linesOfTables * fontMetrics().lineSpacing());
    m_columns = new QBoxLayout(QBoxLayout::LeftToRight);
    m_columns->setSpacing(space::groups);
    m_columns->addWidget(m_gates, 1);
    m_columns->addWidget(m_tasks, 1);
    m_lists = new QBoxLayout(QBoxLayout::LeftToRight);
    m_lists->setSpacing(space::groups);
    m_lists->addWidget(m_texts, 2);
    m_lists->addWidget(makePartners(), 1);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, space::controls, 0, 0);
    layout->setSpacing(space::controls);
    layout->addWidget(makeChoice());
    layout->addLayout(m_columns, 2);
    layout->addWidget(m_rows);
    layout->addLayout(m_lists, 1);
}

QTableView* ExpertsExpertTab::makePartners() {
    auto* table = new QTableView;
    table->setObjectName(QStringLiteral("exp_expert_partners_table"));
    table->setAccessibleName(tr("Experts that fire with it"));
    table->setModel(m_partners);
    setUpTable(*table);
    table->setMinimumHeight(linesOfTables * fontMetrics().lineSpacing());
    connect(table, &QTableView::activated, this, [this](const QModelIndex& index) {
        Q_EMIT expertChosen(m_partners->expert(index.row()).cell);
    });
    return table;
}

void ExpertsExpertTab::arrange(bool isNarrow) {
    for (QBoxLayout* line : {m_columns, m_lists})
        line->setDirection(isNarrow ? QBoxLayout::TopToBottom : QBoxLayout::LeftToRight);
}

void ExpertsExpertTab::showData() {
    const ExpertDataPtr& known = m_session.data();
    const QSignalBlocker blockers[]{QSignalBlocker(m_layer), QSignalBlocker(m_expert)};
    setEnabled(known != nullptr);
    m_facts = {};
    m_gates->clear();
    m_rows->setRows({});
    m_tasks->clear();
    m_partners->setExperts({});
    m_contexts->setContexts({}, {});
    if (!known) return;
    const auto layers = known->config.moe_layers();
    m_layer->setRange(static_cast<int>(layers.front()), static_cast<int>(layers.back()));
    m_expert->setRange(0, static_cast<int>(known->numExperts()) - 1);
}

void ExpertsExpertTab::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    // The boxes name an expert: then it is that one which shows.
    if (m_session.data() && m_facts.rank == 0) choose();
}

void ExpertsExpertTab::choose() { Q_EMIT expertChosen({m_layer->value(), m_expert->value()}); }

void ExpertsExpertTab::showExpert(const ExpertFacts& facts) {
    m_facts = facts;
    const QSignalBlocker blockers[]{QSignalBlocker(m_layer), QSignalBlocker(m_expert)};
    m_layer->setValue(static_cast<int>(facts.cell.layer));
    m_expert->setValue(facts.cell.expert);
    m_gates->setCounts(facts.gateHistogram);
    m_show->setEnabled(facts.contexts != nullptr && !facts.contexts->empty());
    showTasks();
    showPartners();
    showRows();
}

void ExpertsExpertTab::showTasks() {
    const ExpertData& known = *m_session.data();
    QStringList tasks;
    for (std::size_t i = 0; i < m_facts.taskShares.size(); ++i)
        tasks.append(QString::fromStdString(known.stats.tasks[i]));
    const std::vector<double> mean(m_facts.taskShares.size(), m_facts.meanShare);
    m_tasks->setShares(tasks, m_facts.taskShares, mean);
    QStringList all;
    for (const std::string& task : known.stats.tasks) all.append(QString::fromStdString(task));
    m_contexts->setContexts(
        m_facts.contexts != nullptr ? *m_facts.contexts : std::vector<TopContext>{}, all);
}

void ExpertsExpertTab::showPartners() {
    std::vector<RelatedExpert> partners;
    for (const auto& [expert, share] : m_facts.firesWith)
        partners.push_back({{m_facts.cell.layer, expert}, share});
    m_partners->setExperts(std::move(partners));
}

/// What stands beside the tab is not said again.
void ExpertsExpertTab::showRows() {
    const auto total = std::accumulate(m_facts.positions.begin(), m_facts.positions.end(), 0LL);
    if (total == 0) return m_rows->setRows({});
    QStringList eighths;
    for (const std::int64_t count : m_facts.positions) {
        eighths.append(QString::number(
            std::lround(100.0 * static_cast<double>(count) / static_cast<double>(total))));
    }
    m_rows->setRows({{QStringLiteral("positions"), tr("By place in the window"),
                      tr("%1 %").arg(eighths.join(QStringLiteral("  "))), false,
                      tr("In each eighth of the window, from its begin to its end.")}});
}

}  // namespace espalier::ui
