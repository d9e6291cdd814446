#include "ui/pages/experts_page.h"

#include <QBoxLayout>
#include <QBuffer>
#include <QItemSelectionModel>
#include <QPixmap>
#include <QSplitter>
#include <QStackedWidget>
#include <QTabBar>
#include <QTabWidget>
#include <QUndoView>
#include <chrono>

#include "base/atomic_file.h"
#include "ui/bridge/background_worker.h"
#include "ui/bridge/sample.h"
#include "ui/charts/frontier_chart.h"
#include "ui/models/format.h"
#include "ui/pages/experts_apply_sheet.h"
#include "ui/pages/experts_choice_panel.h"
#include "ui/pages/experts_collect_sheet.h"
#include "ui/pages/experts_compare_tab.h"
#include "ui/pages/experts_expert_panel.h"
#include "ui/pages/experts_expert_tab.h"
#include "ui/pages/experts_layer_tab.h"
#include "ui/pages/experts_map_tab.h"
#include "ui/pages/experts_measure_panel.h"
#include "ui/pages/experts_plan_button.h"
#include "ui/pages/experts_sources.h"
#include "ui/pages/experts_table_tab.h"
#include "ui/pages/experts_tasks_tab.h"
#include "ui/theme/metrics.h"
#include "ui/widgets/banner.h"
#include "ui/widgets/card.h"
#include "ui/widgets/empty_state.h"
#include "ui/widgets/file_dialogs.h"
#include "ui/widgets/heat_view.h"
#include "ui/widgets/push_button.h"
#include "ui/widgets/text_label.h"
#include "ui/widgets/vertical_scroll.h"

namespace espalier::ui {
namespace {

using namespace std::chrono_literals;

/// Shorter waits are not told.
constexpr auto busyDelay = 150ms;
constexpr int lettersOfSide = 34;

}  // namespace

ExpertsPage::ExpertsPage(const Services& services, QWidget* parent)
    : Page(parent), m_services(services), m_session(services.worker) {
    setObjectName(QStringLiteral("expertsPage"));
    buildLayout();
    connectSession();
    connectTabs();
    m_busyTimer.setSingleShot(true);
    m_busyTimer.setInterval(busyDelay);
    connect(&m_busyTimer, &QTimer::timeout, m_busy, &QWidget::show);
    connect(&m_services.runs, &RunController::stateChanged, this, &ExpertsPage::takeRunState);
    showData();
}

void ExpertsPage::buildLayout() {
    m_sources = new ExpertsSources(m_services);
    makeBanners();
    m_busy = new TextLabel(TextKind::Secondary, tr("Reading the model and its statistics…"));
    m_busy->setObjectName(QStringLiteral("exp_busy_label"));
    m_busy->hide();
    m_empty = new EmptyState(
        QStringLiteral("exp"),
        {tr("Here you see what each expert of a model does, and try what happens without it. "
            "Nothing is changed before you apply a plan."),
         tr("Choose a model…"), tr("Look at the sample")});
    m_stack = new QStackedWidget;
    m_stack->addWidget(makeBody());
    m_stack->addWidget(m_empty);
    auto* content = new QWidget;
    auto* column = new QVBoxLayout(content);
    column->setContentsMargins(space::sections, space::pageMargin, space::sections,
                               space::pageMargin);
    column->setSpacing(space::controls);
    column->addWidget(makeHead());
    column->addWidget(m_sources);
    for (QWidget* widget : std::initializer_list<QWidget*>{m_banner, m_other, m_none, m_busy})
        column->addWidget(widget);
    column->addWidget(m_stack, 1);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins({});
    layout->addWidget(new VerticalScroll(content));
}

QWidget* ExpertsPage::makeHead() {
    auto* title = new TextLabel(TextKind::Title, tr("Experts"));
    title->setWordWrap(false);
    m_plan = new ExpertsPlanButton(m_services, m_session);
    m_apply = (new PushButton(QStringLiteral("exp_apply_btn"), tr("&Apply…")))->asPrimary();
    m_apply->setToolTip(tr("Starts a run that writes the model without the removed experts."));
    connect(m_apply, &QPushButton::clicked, this, &ExpertsPage::apply);
    auto* head = new QWidget;
    auto* layout = new QHBoxLayout(head);
    layout->setContentsMargins({});
    layout->setSpacing(space::controls);
    layout->addWidget(title, 1);
    layout->addWidget(m_plan);
    layout->addWidget(m_apply);
    return head;
}

void ExpertsPage::makeBanners() {
    m_banner = new Banner(QStringLiteral("exp_banner"));
    m_none = new Banner(QStringLiteral("exp_none_banner"));
    auto* collectNow = new PushButton(QStringLiteral("exp_none_collect_btn"), tr("Collect…"));
    collectNow->setAccessibleName(tr("Collect statistics of this model"));
    connect(collectNow, &QPushButton::clicked, this, &ExpertsPage::collect);
    m_none->addButton(collectNow);
    m_other = new Banner(QStringLiteral("exp_other_banner"));
    auto* use = new PushButton(QStringLiteral("exp_other_use_btn"), tr("Use anyway"));
    connect(use, &QPushButton::clicked, this, [this] {
        m_other->dismiss();
        m_session.useOtherRevision();
    });
    m_other->addButton(use);
}

void ExpertsPage::makeTabs() {
    m_map = new ExpertsMapTab(m_session);
    m_layer = new ExpertsLayerTab(m_session);
    m_expertTab = new ExpertsExpertTab(m_session);
    m_tasks = new ExpertsTasksTab(m_session);
    m_compare = new ExpertsCompareTab(m_services, m_session);
    m_table = new ExpertsTableTab(m_session);
    m_tabs = new QTabWidget;
    m_tabs->setObjectName(QStringLiteral("exp_views_tabs"));
    m_tabs->setAccessibleName(tr("Views"));
    m_tabs->tabBar()->setObjectName(QStringLiteral("exp_views_tabbar"));
    m_tabs->tabBar()->setAccessibleName(tr("Views"));
    m_tabs->setDocumentMode(true);
    m_tabs->addTab(m_map, tr("Map"));
    m_tabs->addTab(m_layer, tr("Layer"));
    m_tabs->addTab(m_expertTab, tr("Expert"));
    m_tabs->addTab(m_tasks, tr("Tasks"));
    m_tabs->addTab(m_compare, tr("Compare"));
    m_tabs->addTab(m_table, tr("Table"));
    connect(m_tabs, &QTabWidget::currentChanged, this, &ExpertsPage::fitTabs);
    fitTabs();
}

void ExpertsPage::fitTabs() {
    // What does not show asks for no height, so that the plan stays in view below the map.
    for (int i = 0; i < m_tabs->count(); ++i) {
        const auto policy =
            i == m_tabs->currentIndex() ? QSizePolicy::Preferred : QSizePolicy::Ignored;
        m_tabs->widget(i)->setSizePolicy(policy, policy);
    }
}

QWidget* ExpertsPage::makeBody() {
    makeTabs();
    m_choice = new ExpertsChoicePanel(m_session);
    m_measure = new ExpertsMeasurePanel(m_session);
    auto* deciding = new Card;
    m_deciding = new QBoxLayout(QBoxLayout::LeftToRight, deciding);
    m_deciding->setContentsMargins({});
    m_deciding->setSpacing(space::groups);
    m_deciding->addWidget(m_choice, 1);
    m_deciding->addWidget(m_measure, 2);
    auto* left = new QWidget;
    auto* column = new QVBoxLayout(left);
    column->setContentsMargins({});
    column->setSpacing(space::controls);
    column->addWidget(m_tabs, 1);
    column->addWidget(deciding);
    m_columns = new QSplitter(Qt::Horizontal);
    m_columns->setChildrenCollapsible(false);
    m_columns->setHandleWidth(space::groups);
    m_columns->addWidget(left);
    m_columns->addWidget(makeSide());
    m_columns->setStretchFactor(0, 1);
    m_columns->setStretchFactor(1, 0);
    return m_columns;
}

QWidget* ExpertsPage::makeSide() {
    m_expert = new ExpertsExpertPanel(m_session);
    auto* history = new QUndoView(&m_session.history());
    history->setObjectName(QStringLiteral("exp_history_view"));
    history->setAccessibleName(tr("History of the plan"));
    history->setEmptyLabel(tr("As chosen at first"));
    history->setMinimumHeight(4 * fontMetrics().lineSpacing());
    m_side = new QWidget;
    auto* column = new QVBoxLayout(m_side);
    column->setContentsMargins({});
    column->setSpacing(space::controls);
    column->addWidget(m_expert);
    column->addWidget(&m_measure->points(), 2);
    column->addWidget(new TextLabel(TextKind::Heading, tr("History")));
    column->addWidget(history, 1);
    return m_side;
}

void ExpertsPage::connectSession() {
    connect(m_empty, &EmptyState::actionRequested, m_sources, &ExpertsSources::browseModel);
    connect(m_empty, &EmptyState::sampleRequested, this, [this] {
        if (const auto sample = sampleFolder()) openModel(*sample + QStringLiteral("/model"));
    });
    connect(m_sources, &ExpertsSources::opened, &m_session, &ExpertSession::open);
    connect(m_sources, &ExpertsSources::collectRequested, this, &ExpertsPage::collect);
    connect(m_sources, &ExpertsSources::failed, this, &ExpertsPage::showFailure);
    connect(m_sources, &ExpertsSources::announced, this, &Page::announced);
    connect(m_sources, &ExpertsSources::refreshed, this, &Page::pageReady);
    connect(m_plan, &ExpertsPlanButton::failed, this, &ExpertsPage::showFailure);
    connect(m_plan, &ExpertsPlanButton::announced, this, &Page::announced);
    connect(m_plan, &ExpertsPlanButton::pictureRequested, this, &ExpertsPage::exportPicture);
    connect(m_plan, &ExpertsPlanButton::tableRequested, this, &ExpertsPage::exportTable);
    connect(&m_session, &ExpertSession::loadingChanged, this, &ExpertsPage::showLoading);
    connect(&m_session, &ExpertSession::dataChanged, this, &ExpertsPage::showData);
    connect(&m_session, &ExpertSession::failed, this, &ExpertsPage::showFailure);
    connect(&m_session, &ExpertSession::announced, this, &Page::announced);
    connect(&m_session, &ExpertSession::otherRevisionFound, this, [this] {
        m_other->showMessage(
            BannerKind::Warn,
            tr("These statistics were collected on other weights of this shape, perhaps another "
               "revision. Its experts may do something else."));
    });
    connect(m_map, &ExpertsMapTab::currentExpertChanged, this, &ExpertsPage::showExpert);
    connect(m_map, &ExpertsMapTab::expertActivated, this, [this](const ExpertCell& cell) {
        showExpert(cell);
        m_expert->focusFirst();
    });
}

void ExpertsPage::connectTabs() {
    connect(m_map, &ExpertsMapTab::scoresChanged, this, &ExpertsPage::showScores);
    connect(m_expertTab, &ExpertsExpertTab::expertChosen, m_map, &ExpertsMapTab::chooseCell);
    connect(m_table, &ExpertsTableTab::currentExpertChanged, m_map, &ExpertsMapTab::chooseCell);
    connect(m_table, &ExpertsTableTab::exportRequested, this, &ExpertsPage::exportTable);
    connect(m_compare, &ExpertsCompareTab::failed, this, &ExpertsPage::showFailure);
    connect(m_sources, &ExpertsSources::sourcesFound, m_compare, &ExpertsCompareTab::setSources);
}

void ExpertsPage::arrange(bool isNarrow) {
    m_deciding->setDirection(isNarrow ? QBoxLayout::TopToBottom : QBoxLayout::LeftToRight);
    m_columns->setOrientation(isNarrow ? Qt::Vertical : Qt::Horizontal);
    m_side->setMinimumWidth(isNarrow ? 0 : lettersOfSide * fontMetrics().averageCharWidth());
    m_sources->arrange(isNarrow);
    m_map->arrange(isNarrow);
    m_measure->arrange(isNarrow);
    m_layer->arrange(isNarrow);
    m_expertTab->arrange(isNarrow);
}

void ExpertsPage::refresh() { m_sources->refresh(); }

bool ExpertsPage::cancelCurrent() {
    if (m_measure->cancel()) return true;
    QItemSelectionModel& selection = *m_map->view().selectionModel();
    if (!m_map->isVisible() || !selection.hasSelection()) return false;
    selection.clearSelection();
    return true;
}

void ExpertsPage::hideEvent(QHideEvent* event) {
    Page::hideEvent(event);
    // What the measurements remember may take a gigabyte.
    if (!m_session.probe().isBusy()) m_session.probe().release();
}

void ExpertsPage::save() { m_plan->save(); }

void ExpertsPage::openModel(const QString& model, const QString& stats) {
    m_banner->dismiss();
    m_sources->openModel(model, stats);
}

void ExpertsPage::showLoading() {
    m_other->dismiss();
    if (m_session.isLoading()) {
        m_banner->dismiss();
        m_busyTimer.start();
    } else {
        m_busyTimer.stop();
        m_busy->hide();
    }
    m_columns->setEnabled(!m_session.isLoading());
}

void ExpertsPage::showData() {
    const ExpertDataPtr& known = m_session.data();
    // What does not show takes no room.
    for (QWidget* each : std::initializer_list<QWidget*>{m_columns, m_empty}) {
        const bool isShown = (each == m_columns) == (known != nullptr);
        const auto policy = isShown ? QSizePolicy::Preferred : QSizePolicy::Ignored;
        each->setSizePolicy(policy, policy);
    }
    m_stack->setCurrentIndex(known ? 0 : 1);
    m_apply->setEnabled(known != nullptr);
    if (known && !known->hasStats()) {
        showCost();
    } else {
        m_none->dismiss();
    }
}

void ExpertsPage::showCost() {
    const QString sentence =
        tr("No statistics for this model. Collecting them reads the whole model once, layer by "
           "layer, on %1 tokens of your texts")
            .arg(format::integer(CollectDraft().tokens));
    const QString rest = tr("Until then the map shows what the weights alone tell.");
    m_none->showMessage(BannerKind::Info, QStringLiteral("%1. %2").arg(sentence, rest));
    m_services.worker.ask(
        this, "cost",
        [draft = CollectDraft{.model = m_session.data()->model, .data = {}}](TaskContext&) {
            return estimateCollect(draft);
        },
        [this, sentence, rest](const StageEstimate& cost) {
            if (!m_session.data() || m_session.data()->hasStats()) return;
            m_none->showMessage(
                BannerKind::Info,
                tr("%1: %2 and %3 memory. %4")
                    .arg(sentence, format::estimated(format::duration(cost.seconds)),
                         format::estimated(format::memory(cost.peak_bytes)), rest));
        },
        [this](const Failure& failure) { showFailure(failure); });
}

void ExpertsPage::showExpert(const ExpertCell& cell) {
    if (!m_session.data() || m_map->scores().find(cell.layer) == m_map->scores().end()) return;
    const ExpertFacts facts = factsOf(*m_session.data(), m_map->scores(), cell);
    m_expert->showExpert(facts, m_map->metricName());
    m_expertTab->showExpert(facts);
    m_layer->chooseLayer(cell.layer);
    m_table->chooseCell(cell);
}

void ExpertsPage::showScores() {
    m_layer->showScores(m_map->scores(), m_map->metricName());
    m_compare->showScores(m_map->scores(), m_map->metric(), m_map->metricName());
    m_table->showScores(m_map->scores(), m_map->metricName());
    if (m_expert->hasExpert()) showExpert(m_expert->cell());
}

void ExpertsPage::collect() {
    if (m_sources->model().isEmpty()) return;
    auto* sheet = new ExpertsCollectSheet(m_services, m_sources->model(), this);
    connect(sheet, &ExpertsCollectSheet::started, this, [this](const QString& folder) {
        m_collecting = folder;
        Q_EMIT announced(tr("Statistics are being collected. They show here when they are there."));
    });
    sheet->open();
}

void ExpertsPage::takeRunState(JobState state) {
    if (state != JobState::Finished) return;
    if (m_services.runs.folder() == m_collecting) {
        m_sources->openModel(m_sources->model(), statisticsOf(m_collecting));
        m_collecting.clear();
    } else {
        m_sources->refresh();
    }
}

void ExpertsPage::apply() {
    if (!m_session.data() || m_session.plan().isEmpty()) return;
    auto* sheet = new ExpertsApplySheet(m_services, m_session, this);
    connect(sheet, &ExpertsApplySheet::started, this, &ExpertsPage::runStarted);
    sheet->open();
}

void ExpertsPage::exportPicture() {
    askForTarget(*this, tr("Export picture"), QStringLiteral("experts.png"), tr("Pictures (*.png)"),
                 [this](const QString& path) {
                     constexpr int scale = 2;
                     HeatView& view = m_map->view();
                     QPixmap picture(view.size() * scale);
                     picture.setDevicePixelRatio(scale);
                     view.render(&picture);
                     QBuffer bytes;
                     bytes.open(QIODevice::WriteOnly);
                     picture.save(&bytes, "PNG");
                     write(path, bytes.data());
                 });
}

void ExpertsPage::exportTable() {
    askForTarget(*this, tr("Export table"), QStringLiteral("experts.csv"), tr("Tables (*.csv)"),
                 [this](const QString& path) { write(path, m_table->csv()); });
}

void ExpertsPage::write(const QString& path, const QByteArray& bytes) {
    m_services.worker.ask(
        this, {},
        [path, bytes](TaskContext&) {
            write_file(path.toStdString(), bytes.toStdString());
            return true;
        },
        [this, path](bool) { Q_EMIT announced(tr("Written: %1").arg(path)); },
        [this](const Failure& failure) { showFailure(failure); });
}

void ExpertsPage::showFailure(const Failure& failure) {
    m_banner->showError(failure.code, failure.message, failure.hint);
    Q_EMIT announced(failure.message);
    Q_EMIT pageReady();
}

}  // namespace espalier::ui
