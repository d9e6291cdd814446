#include "ui/pages/experts_map_tab.h"

#include <QBoxLayout>
#include <QComboBox>
#include <QHeaderView>
#include <QLabel>
#include <QLocale>
#include <QSignalBlocker>
#include <QSlider>
#include <QToolTip>
#include <algorithm>

#include "routing/criterion.h"
#include "ui/bridge/expert_session.h"
#include "ui/models/expert_facts.h"
#include "ui/models/format.h"
#include "ui/theme/metrics.h"
#include "ui/widgets/heat_map.h"
#include "ui/widgets/heat_view.h"
#include "ui/widgets/push_button.h"
#include "ui/widgets/text_label.h"

namespace espalier::ui {

ExpertsMapTab::ExpertsMapTab(ExpertSession& session, QWidget* parent)
    : QWidget(parent), m_session(session), m_model(new ExpertMatrixModel(this)) {
    m_model->setDescription([this](const ExpertCell& cell) { return describe(cell); });
    buildLayout();
    connectView();
    connect(&m_session, &ExpertSession::dataChanged, this, &ExpertsMapTab::showData);
    connect(&m_session, &ExpertSession::planChanged, this, &ExpertsMapTab::showPlan);
    connect(&m_session, &ExpertSession::refused, this, &ExpertsMapTab::showRefusal);
    showData();
}

QComboBox* ExpertsMapTab::addCombo(QBoxLayout& line, const QString& name, const QString& label,
                                   int letters) {
    auto* combo = new QComboBox;
    combo->setObjectName(name);
    combo->setAccessibleName(label);
    combo->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    combo->setMinimumContentsLength(letters);
    auto* word = new QLabel(label);
    word->setBuddy(combo);
    auto* pair = new QHBoxLayout;
    pair->setSpacing(space::inGroup);
    pair->addWidget(word);
    pair->addWidget(combo, 1);
    line.addLayout(pair, 1);
    return combo;
}

QWidget* ExpertsMapTab::makeControls() {
    auto* controls = new QWidget;
    m_what = new QBoxLayout(QBoxLayout::LeftToRight);
    m_where = new QBoxLayout(QBoxLayout::LeftToRight);
    for (QBoxLayout* line : {m_what, m_where}) line->setSpacing(space::controls);
    auto* lines = new QVBoxLayout(controls);
    lines->setContentsMargins({});
    lines->setSpacing(space::inGroup);
    lines->addLayout(m_what);
    lines->addLayout(m_where);
    m_show = addCombo(*m_what, QStringLiteral("exp_map_show_combo"), tr("Show"), 10);
    m_task = addCombo(*m_what, QStringLiteral("exp_map_task_combo"), tr("Task"), 6);
    m_scale = addCombo(*m_what, QStringLiteral("exp_map_scale_combo"), tr("Scale"), 6);
    m_scale->addItem(tr("linear"), static_cast<int>(MatrixScale::Linear));
    m_scale->addItem(tr("logarithmic"), static_cast<int>(MatrixScale::Log));
    m_scale->addItem(tr("rank in layer"), static_cast<int>(MatrixScale::Rank));
    m_scale->addItem(tr("z-score in layer"), static_cast<int>(MatrixScale::ZScore));
    m_order = addCombo(*m_where, QStringLiteral("exp_map_order_combo"), tr("Experts"), 6);
    m_order->addItem(tr("by number"), static_cast<int>(ExpertOrder::Number));
    m_order->addItem(tr("by value"), static_cast<int>(ExpertOrder::Value));
    m_order->addItem(tr("by group"), static_cast<int>(ExpertOrder::Group));
    m_layers = addCombo(*m_where, QStringLiteral("exp_map_layers_combo"), tr("Layers"), 6);
    m_layers->addItem(tr("by number"), static_cast<int>(LayerOrder::Number));
    m_layers->addItem(tr("fewest kept first"), static_cast<int>(LayerOrder::NumKept));
    m_layers->addItem(tr("least output kept first"), static_cast<int>(LayerOrder::ShareKept));
    m_layers->addItem(tr("lowest mean first"), static_cast<int>(LayerOrder::Metric));
    m_zoom = new QSlider(Qt::Horizontal);
    m_zoom->setObjectName(QStringLiteral("exp_map_zoom_slider"));
    m_zoom->setAccessibleName(tr("Size of the cells"));
    m_zoom->setToolTip(tr("Size of the cells (Ctrl and wheel)"));
    m_zoom->setRange(HeatView::leastCell, HeatView::mostCell);
    m_zoom->setMinimumWidth(60);
    m_fit = new PushButton(QStringLiteral("exp_map_fit_btn"), tr("Fit"));
    m_fit->setToolTip(tr("The greatest cells with which all experts show (F)"));
    auto* zoom = new QHBoxLayout;
    zoom->setSpacing(space::controls);
    zoom->addWidget(m_zoom, 1);
    zoom->addWidget(m_fit);
    m_where->addLayout(zoom, 1);
    return controls;
}

void ExpertsMapTab::buildLayout() {
    auto* map = new HeatMap(QStringLiteral("exp_map_heat_view"), *m_model);
    m_view = &map->view();
    m_view->setAccessibleName(tr("Experts by layer"));
    m_note = new TextLabel(TextKind::Caption);
    m_note->setObjectName(QStringLiteral("exp_map_refusal_label"));
    m_note->hide();
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, space::controls, 0, 0);
    layout->setSpacing(space::controls);
    layout->addWidget(makeControls());
    layout->addWidget(map, 1);
    layout->addWidget(m_note);
}

void ExpertsMapTab::connectView() {
    const auto asks = [this](PlanEdit edit) {
        return
            [this, edit](const QList<ExpertCell>& cells) { m_session.edit(edit, cellsOf(cells)); };
    };
    connect(m_view, &HeatView::toggleRequested, this,
            [this](const QList<ExpertCell>& cells) { m_session.toggle(cellsOf(cells)); });
    connect(m_view, &HeatView::lockRequested, this, asks(PlanEdit::Lock));
    connect(m_view, &HeatView::forceOutRequested, this, asks(PlanEdit::ForceOut));
    connect(m_view, &HeatView::clearRequested, this, asks(PlanEdit::Clear));
    connect(m_view, &HeatView::currentExpertChanged, this, [this](qint64 layer, int expert) {
        Q_EMIT currentExpertChanged({layer, expert});
    });
    connect(m_view, &HeatView::expertActivated, this, [this](qint64 layer, int expert) {
        Q_EMIT expertActivated({layer, expert});
    });
    connect(m_view, &HeatView::cellSizeChanged, m_zoom, &QSlider::setValue);
    connect(m_zoom, &QSlider::valueChanged, m_view, &HeatView::setCellSize);
    connect(m_fit, &QPushButton::clicked, m_view, &HeatView::fit);
    connect(m_show, &QComboBox::activated, this, [this] {
        m_isMetricChosen = true;
        showScores();
    });
    connect(m_task, &QComboBox::activated, this, &ExpertsMapTab::showScores);
    connect(m_scale, &QComboBox::activated, this, [this] {
        m_model->setScale(static_cast<MatrixScale>(m_scale->currentData().toInt()));
    });
    connect(m_order, &QComboBox::activated, this, [this] {
        m_model->setExpertOrder(static_cast<ExpertOrder>(m_order->currentData().toInt()));
    });
    connect(m_layers, &QComboBox::activated, this, [this] {
        m_model->setLayerOrder(static_cast<LayerOrder>(m_layers->currentData().toInt()));
    });
    m_zoom->setValue(m_view->cellSize());
}

void ExpertsMapTab::arrange(bool isNarrow) {
    for (QBoxLayout* line : {m_what, m_where})
        line->setDirection(isNarrow ? QBoxLayout::TopToBottom : QBoxLayout::LeftToRight);
    m_view->setMinimumHeight(8 * fontMetrics().lineSpacing());
}

void ExpertsMapTab::showData() {
    const ExpertDataPtr& known = m_session.data();
    const QString before = m_show->currentData().toString();
    m_show->clear();
    m_task->clear();
    m_note->hide();
    setEnabled(known != nullptr);
    if (!known) {
        m_scores.clear();
        m_model->setMatrix({});
        Q_EMIT scoresChanged();
        return;
    }
    for (const MatrixMetric& metric : metricsOf(*known)) {
        m_show->addItem(metric.name, metric.id);
        m_show->setItemData(m_show->count() - 1, metric.tip, Qt::ToolTipRole);
    }
    m_show->setCurrentIndex(m_isMetricChosen ? std::max(0, m_show->findData(before)) : 0);
    m_task->addItem(tr("all"));
    for (std::size_t i = 0; i < known->stats.tasks.size(); ++i)
        m_task->addItem(QString::fromStdString(known->stats.tasks[i]), static_cast<int>(i));
    showScores();
    // Once the view has its place in the window.
    QMetaObject::invokeMethod(m_view, &HeatView::fit, Qt::QueuedConnection);
}

QString ExpertsMapTab::metric() const { return m_show->currentData().toString(); }

QString ExpertsMapTab::metricName() const { return m_show->currentText(); }

void ExpertsMapTab::showScores() {
    const ExpertDataPtr& known = m_session.data();
    if (!known || m_show->currentIndex() < 0) return;
    const QString metric = m_show->currentData().toString();
    const auto& rules = criteria();
    const auto rule = std::find_if(rules.begin(), rules.end(), [&](const Criterion& row) {
        return metric ==
               QString::fromUtf8(row.name.data(), static_cast<qsizetype>(row.name.size()));
    });
    // Single tasks are known by the simple sums alone.
    const bool hasTasks = rule != rules.end() && rule->has_tasks && known->stats.tasks.size() > 1;
    m_task->setEnabled(hasTasks);
    if (!hasTasks) m_task->setCurrentIndex(0);
    std::optional<std::size_t> task;
    if (m_task->currentIndex() > 0) task = static_cast<std::size_t>(m_task->currentData().toInt());
    m_scores = scoresOf(*known, metric, task);
    ExpertMatrix matrix = matrixOf(*known, m_scores, m_show->currentText());
    if (!m_session.plan().isEmpty()) matrix.marks = marksOf(*known, m_session.plan());
    m_model->setMatrix(std::move(matrix));
    Q_EMIT scoresChanged();
}

void ExpertsMapTab::showPlan() {
    m_note->hide();
    const ExpertDataPtr& known = m_session.data();
    if (!known || m_model->rowCount() == 0 || m_session.plan().isEmpty()) return;
    m_model->updateStates(marksOf(*known, m_session.plan()));
}

void ExpertsMapTab::showRefusal(qint64 layer, const QString& text) {
    m_note->setText(QStringLiteral("⚠ %1").arg(tr("Layer %1: %2").arg(layer).arg(text)));
    m_note->show();
    const QModelIndex index = m_model->indexOf({layer, 0});
    if (!index.isValid() || !m_view->isVisible()) return;
    const QHeaderView* header = m_view->verticalHeader();
    const QPoint place(0, header->sectionViewportPosition(index.row()));
    QToolTip::showText(header->mapToGlobal(place), text, m_view);
}

void ExpertsMapTab::chooseCell(const ExpertCell& cell) { m_view->choose({cell}); }

QString ExpertsMapTab::describe(const ExpertCell& cell) const {
    const ExpertDataPtr& known = m_session.data();
    if (!known) return {};
    const ExpertFacts facts = factsOf(*known, m_scores, cell);
    QStringList lines{tr("Layer %1, expert %2: %3")
                          .arg(cell.layer)
                          .arg(cell.expert)
                          .arg(decisionText(m_session.plan(), cell)),
                      tr("%1: %2, rank %3 of %4")
                          .arg(metricName(), format::significant(facts.score))
                          .arg(facts.rank)
                          .arg(known->numExperts())};
    if (known->hasStats()) {
        lines.append(tr("chosen for %1 of the tokens (mean %2), mean gate %3")
                         .arg(format::percent(facts.tokenShare), format::percent(facts.meanShare),
                              format::significant(facts.meanGate)));
        for (std::size_t i = 0; i < facts.taskShares.size(); ++i) {
            lines.append(tr("%1: %2").arg(QString::fromStdString(known->stats.tasks[i]),
                                          format::percent(facts.taskShares[i])));
        }
    }
    return lines.join(QLatin1Char('\n'));
}

ExpertCells ExpertsMapTab::cellsOf(const QList<ExpertCell>& cells) {
    ExpertCells result;
    for (const ExpertCell& cell : cells) result[cell.layer].push_back(cell.expert);
    for (auto& [layer, experts] : result) std::sort(experts.begin(), experts.end());
    return result;
}

}  // namespace espalier::ui
