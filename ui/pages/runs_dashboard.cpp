#include "ui/pages/runs_dashboard.h"

#include <QDesktopServices>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QLocale>
#include <QProgressBar>
#include <QSplitter>
#include <QTableView>
#include <QUrl>
#include <QVBoxLayout>
#include <algorithm>

#include "routing/routing_report.h"
#include "store/routing_refusal.h"
#include "ui/bridge/background_worker.h"
#include "ui/charts/rounds_chart.h"
#include "ui/models/format.h"
#include "ui/models/metrics_model.h"
#include "ui/pages/runs_layer_charts.h"
#include "ui/pages/runs_log_panel.h"
#include "ui/pages/runs_routing_panel.h"
#include "ui/theme/metrics.h"
#include "ui/widgets/banner.h"
#include "ui/widgets/icon_button.h"
#include "ui/widgets/info_view.h"
#include "ui/widgets/push_button.h"
#include "ui/widgets/table_setup.h"
#include "ui/widgets/text_label.h"
#include "ui/widgets/vertical_scroll.h"

namespace espalier::ui {
namespace {

constexpr int barSteps = 1000;
constexpr int tableLines = 11;

template <typename... Ts>
struct Overloaded : Ts... {
    using Ts::operator()...;
};
template <typename... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

std::map<std::string, double> numbersOf(const Json& metrics) {
    std::map<std::string, double> numbers;
    for (const auto& [name, value] : metrics.items()) {
        if (value.is_number()) numbers[name] = value.get<double>();
    }
    return numbers;
}

}  // namespace

RunDashboard::RunDashboard(const Services& services, QWidget* parent)
    : QWidget(parent), m_services(services), m_metrics(new MetricsModel(this)) {
    buildLayout();
    connect(&m_services.runs, &RunController::runStarted, this, [this](const QString& folder) {
        if (folder == m_folder) showRun(folder);  // resumed from here
    });
    connect(&m_services.runs, &RunController::eventsArrived, this, &RunDashboard::take);
    connect(&m_services.runs, &RunController::stateChanged, this, [this](JobState state) {
        if (isLive() && state == JobState::Stopping) setState(QStringLiteral("stopping"));
    });
}

bool RunDashboard::isLive() const {
    return !m_folder.isEmpty() && m_services.runs.isBusy() && m_services.runs.folder() == m_folder;
}

void RunDashboard::buildLayout() {
    m_banner = new Banner(QStringLiteral("run_banner"));
    m_look = new PushButton(QStringLiteral("run_ctl_look_btn"), {});
    m_banner->addButton(m_look);
    connect(m_look, &QPushButton::clicked, this, [this] { m_charts->choose(m_failedLayer); });
    m_accept = new PushButton(QStringLiteral("run_ctl_accept_btn"), tr("&Accept and go on"));
    m_accept->setToolTip(
        tr("The run goes on with what it has. The report says that you accepted it."));
    m_banner->addButton(m_accept);
    connect(m_accept, &QPushButton::clicked, this, [this] {
        const auto isDone = [](const StageMark& stage) { return stage.state == StageState::Done; };
        Q_EMIT resumeRequested(
            m_folder, static_cast<int>(std::count_if(m_stages.begin(), m_stages.end(), isDone)));
    });
    m_charts = new RunLayerCharts;
    m_routing = new RunRoutingPanel;
    m_rounds = new RoundsChart(QStringLiteral("run_rounds_chart"));
    m_rounds->hide();
    m_log = new RunLogPanel;
    m_upper = new QSplitter(Qt::Horizontal);
    auto* charts = new QWidget;
    auto* chartsLayout = new QVBoxLayout(charts);
    chartsLayout->setContentsMargins({});
    chartsLayout->setSpacing(space::controls);
    chartsLayout->addWidget(m_rounds, 1);
    chartsLayout->addWidget(m_charts, 2);
    chartsLayout->addWidget(m_routing, 1);
    m_upper->addWidget(charts);
    m_upper->addWidget(makeSide());
    m_upper->setStretchFactor(0, 3);
    m_upper->setStretchFactor(1, 2);
    m_upper->setChildrenCollapsible(false);
    auto* split = new QSplitter(Qt::Vertical);
    split->addWidget(m_upper);
    split->addWidget(m_log);
    split->setStretchFactor(0, 4);
    split->setStretchFactor(1, 1);
    split->setChildrenCollapsible(false);
    for (QSplitter* splitter : {m_upper, split}) splitter->setHandleWidth(space::groups);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins({});
    layout->setSpacing(space::controls);
    layout->addWidget(makeHeader());
    layout->addWidget(m_banner);
    layout->addWidget(makeProgress());
    layout->addWidget(new VerticalScroll(split), 1);
}

void RunDashboard::arrange(bool isNarrow) {
    m_upper->setOrientation(isNarrow ? Qt::Vertical : Qt::Horizontal);
}

QWidget* RunDashboard::makeHeader() {
    auto* back =
        new IconButton(QStringLiteral("run_nav_list_btn"), QStringLiteral("back"), tr("All runs"));
    m_title = (new TextLabel(TextKind::Title))->asElided();
    m_state = new TextLabel(TextKind::Secondary);
    m_state->setWordWrap(false);
    m_state->setObjectName(QStringLiteral("run_state_label"));
    m_stop = (new PushButton(QStringLiteral("run_ctl_stop_btn"), tr("&Stop")))
                 ->withIcon(QStringLiteral("stop"));
    m_stop->setToolTip(
        tr("Ends the run. Finished stages and checkpoints are kept; it can go on later."));
    m_resume = (new PushButton(QStringLiteral("run_ctl_resume_btn"), tr("Res&ume")))->asPrimary();
    m_play =
        (new PushButton(QStringLiteral("run_ctl_try_btn"), tr("Open in &playground")))->asPrimary();
    m_inspect = new PushButton(QStringLiteral("run_ctl_inspect_btn"), tr("&Inspect experts"));
    m_inspect->setToolTip(tr("Shows what this run measured of every expert."));
    m_inspect->hide();
    m_openFolder = (new PushButton(QStringLiteral("run_ctl_folder_btn"), tr("Open fol&der")))
                       ->withIcon(QStringLiteral("folder"));
    connect(back, &QToolButton::clicked, this, &RunDashboard::listRequested);
    connect(m_stop, &QPushButton::clicked, &m_services.runs, &RunController::stop);
    connect(m_resume, &QPushButton::clicked, this, [this] { Q_EMIT resumeRequested(m_folder, 0); });
    connect(m_play, &QPushButton::clicked, this,
            [this] { Q_EMIT playRequested(m_summary.resultPath); });
    connect(m_inspect, &QPushButton::clicked, this,
            [this] { Q_EMIT inspectRequested(m_summary.model, m_stats); });
    connect(m_openFolder, &QPushButton::clicked, this,
            [this] { QDesktopServices::openUrl(QUrl::fromLocalFile(m_folder)); });
    auto* header = new QWidget;
    auto* layout = new QHBoxLayout(header);
    layout->setContentsMargins({});
    layout->addWidget(back);
    layout->addWidget(m_title, 1);
    layout->addWidget(m_state);
    layout->addSpacing(space::controls);
    for (QWidget* button : {m_stop, m_resume, m_play, m_inspect, m_openFolder})
        layout->addWidget(button);
    return header;
}

QWidget* RunDashboard::makeProgress() {
    m_stageLine = new StageLine(QStringLiteral("run_stages_view"));
    m_bar = new QProgressBar;
    m_bar->setObjectName(QStringLiteral("run_progress_bar"));
    m_bar->setAccessibleName(tr("Progress of the run"));
    m_bar->setRange(0, barSteps);
    m_bar->setTextVisible(false);
    m_bar->setFixedHeight(10);
    m_progress = (new TextLabel(TextKind::Secondary))->asElided();
    m_progress->setObjectName(QStringLiteral("run_progress_label"));
    auto* lower = new QHBoxLayout;
    lower->addWidget(m_bar, 1);
    lower->addWidget(m_progress, 1);
    auto* progress = new QWidget;
    auto* layout = new QVBoxLayout(progress);
    layout->setContentsMargins({});
    layout->setSpacing(space::inGroup);
    layout->addWidget(m_stageLine);
    layout->addLayout(lower);
    return progress;
}

QWidget* RunDashboard::makeSide() {
    m_metricsTable = new QTableView;
    m_metricsTable->setObjectName(QStringLiteral("run_metrics_table"));
    m_metricsTable->setAccessibleName(tr("Measured so far"));
    m_metricsTable->setModel(m_metrics);
    setUpTable(*m_metricsTable);
    m_metricsTable->setMinimumHeight(fontMetrics().height() * tableLines);
    m_noMetrics = new TextLabel(TextKind::Secondary,
                                tr("Sizes appear when the experts are cut, quality when the "
                                   "last stage has compared the models."));
    m_facts = new InfoView(QStringLiteral("run_facts_view"));
    m_facts->setAccessibleName(tr("About this run"));
    auto* side = new QWidget;
    auto* layout = new QVBoxLayout(side);
    layout->setContentsMargins({});
    layout->setSpacing(space::controls);
    layout->addWidget(new TextLabel(TextKind::Heading, tr("Measured")));
    layout->addWidget(m_noMetrics);
    layout->addWidget(m_metricsTable, 1);
    layout->addWidget(m_facts);
    layout->addStretch(0);
    return side;
}

void RunDashboard::open(const QString& folder) {
    if (folder != m_folder || !isLive()) showRun(folder);  // a live run is being shown already
}

void RunDashboard::showRun(const QString& folder) {
    m_folder = folder;
    m_summary = {};
    m_stats.clear();
    m_inspect->hide();
    m_stages.clear();
    m_run.clear();
    m_metrics->setMetrics({});
    m_metrics->setRoutingVerdict({}, {});
    m_metricsTable->hide();
    m_noMetrics->show();
    m_facts->setRows({});
    m_banner->dismiss();
    m_charts->clear();
    m_routing->clear();
    showRounds({});
    m_log->clear();
    m_title->setText(QFileInfo(folder).fileName());
    setState(isLive() ? QStringLiteral("running") : QString());
    showStages();
    load();
}

void RunDashboard::load() {
    const QString live = m_services.runs.isBusy() ? m_services.runs.folder() : QString();
    m_services.worker.ask(
        this, "details",
        [path = m_folder, live](TaskContext& context) {
            return readRunDetails(context.library(), path, live);
        },
        [this](const RunDetails& details) { showDetails(details); },
        [this](const Failure& failure) { showFailure(failure); });
}

void RunDashboard::showDetails(const RunDetails& details) {
    m_summary = details.summary;
    m_stats = details.statsPath;
    m_inspect->setVisible(!m_stats.isEmpty());
    m_title->setText(details.summary.name);
    m_title->setToolTip(details.summary.path);
    // Those of a live run may have begun already.
    m_stages.resize(std::max(m_stages.size(), details.stages.size()));
    for (std::size_t i = 0; i < details.stages.size(); ++i) {
        m_stages[i].name = format::stageName(QString::fromStdString(details.stages[i]));
    }
    if (!isLive()) setState(details.summary.state);
    showFinishedStages(details);
    for (const RoutingRecord& layer : details.routing) {
        LayerMeasured event{layer.layer, layer.load, layer.saliency, {}};
        const auto kept = details.kept.find(layer.layer);
        if (kept != details.kept.end()) event.kept = kept->second;
        m_charts->setLayer(event);
    }
    showRounds(details.rounds);
    m_metrics->mergeMetrics(details.metrics);
    if (!isLive()) m_log->setLines(details.log);
    if (!isLive()) showHold(details);
    if (!details.summary.folderExists) {
        m_banner->showMessage(BannerKind::Warn,
                              tr("The folder of this run is not there any more."));
    }
    showStages();
    showNow();
    Q_EMIT loaded();
}

void RunDashboard::showFinishedStages(const RunDetails& details) {
    std::vector<InfoRow> rows;
    for (const StageRecord& record : details.finished) {
        const auto position = static_cast<std::size_t>(record.position);
        if (position < m_stages.size()) m_stages[position].state = StageState::Done;
        const QString name = format::stageName(QString::fromStdString(record.stage));
        m_routing->setStage(position, name,
                            parse_json(record.record, "stage.json").value("routing", Json()));
        rows.push_back({QString::fromStdString(record.stage),
                        name,
                        tr("%1, peak memory %2")
                            .arg(format::duration(record.seconds),
                                 format::memory(static_cast<quint64>(record.peak_bytes))),
                        false,
                        {}});
    }
    if (!m_summary.resultPath.isEmpty()) {
        rows.push_back({QStringLiteral("result"), tr("Result"),
                        tr("%1 (%2)").arg(QFileInfo(m_summary.resultPath).fileName(),
                                          format::fileSize(m_summary.resultBytes)),
                        false, m_summary.resultPath});
    }
    m_facts->setRows(rows);
    if (!details.routingVerdict.isEmpty()) {
        m_metrics->setRoutingVerdict(details.routingVerdict, details.routingReasons);
    }
}

/// Lost routing is for the user to accept before anything builds on it.
void RunDashboard::showHold(const RunDetails& details) {
    if (details.summary.state != QLatin1String("held")) return;
    for (const StageRecord& record : details.finished) {
        const Json stage = parse_json(record.record, "stage.json");
        if (!is_routing_refused(stage)) continue;
        const Json& routing = stage.at("routing");
        m_banner->showMessage(
            BannerKind::Warn,
            tr("%1 lost more of the routing than its limits allow: %2. The stages that follow "
               "would build on it.")
                .arg(format::stageName(QString::fromStdString(record.stage)),
                     QString::fromStdString(routing_failures(routing))));
        for (const Json& worst : routing.at("worst")) {
            if (worst.at("verdict") != "fail") continue;
            m_failedLayer = worst.at("layers").at(0).get<qlonglong>();
            break;
        }
        m_look->setText(tr("&Look at layer %1").arg(m_failedLayer));
    }
}

void RunDashboard::showRounds(const std::vector<Json>& rounds) {
    std::vector<PruneRound> points;
    for (const Json& round : rounds) {
        const Json routing = round.value("routing", Json::object());
        PruneRound point{.round = static_cast<int>(points.size()) + 1,
                         .experts = round.value("experts", 0.0),
                         .kl = round.value("kl", 0.0),
                         .top1 = round.value("top1", 0.0),
                         .perplexity = round.value("perplexity", 0.0),
                         .refused = static_cast<int>(round.value("refused", Json::array()).size()),
                         .recall = {}};
        if (routing.contains("recall")) point.recall = routing.at("recall").get<double>();
        points.push_back(point);
    }
    m_rounds->setRounds(points);
    m_rounds->setVisible(!points.empty());
}

void RunDashboard::take(const std::vector<RunEvent>& events) {
    if (m_services.runs.folder() != m_folder) return;
    m_lines.clear();
    for (const RunEvent& event : events) takeEvent(event);
    m_log->append(m_lines);
    showStages();
    showNow();
}

void RunDashboard::takeEvent(const RunEvent& event) {
    m_run.take(event);
    std::visit(
        Overloaded{
            [this](const StageStarted& started) {
                m_stages.resize(std::max(m_stages.size(), started.count));
                m_stages[started.index] = {format::stageName(QString::fromStdString(started.stage)),
                                           StageState::Running};
                // By now the library knows the stages to come.
                if (m_stages.back().name.isEmpty()) load();
            },
            [](const StageProgress&) {},
            [this](const LayerMeasured& layer) { m_charts->setLayer(layer); },
            [this](const MetricMeasured& metric) {
                m_metrics->mergeMetrics({{metric.name, metric.value}});
                if (metric.name == "rounds.kl") load();  // the round has been written by now
            },
            [this](const LogLine& line) { m_lines.push_back(line); },
            [this](const StageFinished& finished) {
                if (finished.index < m_stages.size())
                    m_stages[finished.index].state = StageState::Done;
                m_metrics->mergeMetrics(numbersOf(finished.metrics));
                m_routing->setStage(finished.index,
                                    format::stageName(QString::fromStdString(finished.stage)),
                                    finished.routing);
            },
            [this](const RunFinished& end) { finish(end); },
        },
        event);
}

void RunDashboard::finish(const RunFinished& end) {
    switch (end.outcome) {
        case RunOutcome::Finished:
            setState(QStringLiteral("finished"));
            break;
        case RunOutcome::Held:
            setState(QStringLiteral("held"));
            break;
        case RunOutcome::Stopped:
            setState(QStringLiteral("stopped"));
            break;
        case RunOutcome::Failed:
            setState(QStringLiteral("failed"));
            if (m_run.stage() < m_stages.size()) m_stages[m_run.stage()].state = StageState::Failed;
            m_banner->showError(QString::fromStdString(end.code),
                                QString::fromStdString(end.message), {});
            break;
    }
    for (StageMark& stage : m_stages) {
        if (stage.state == StageState::Running) stage.state = StageState::Waiting;
    }
    load();
}

void RunDashboard::setState(const QString& state) {
    m_summary.state = state;
    const bool canResume = state == QLatin1String("stopped") || state == QLatin1String("failed") ||
                           state == QLatin1String("interrupted");
    m_state->setText(state == QLatin1String("stopping") ? tr("stopping…")
                                                        : format::runState(state));
    // A run of another process is stopped there.
    const bool isOurs =
        isLive() && (state == QLatin1String("running") || state == QLatin1String("stopping"));
    m_stop->setVisible(isOurs);
    m_stop->setEnabled(state == QLatin1String("running"));
    m_resume->setVisible(canResume);
    for (QWidget* button : {m_look, m_accept}) button->setVisible(state == QLatin1String("held"));
    m_accept->setEnabled(!m_services.runs.isBusy());
    m_resume->setEnabled(canResume && !m_services.runs.isBusy());
    m_play->setVisible(state == QLatin1String("finished"));
    m_play->setEnabled(!m_summary.resultPath.isEmpty());
    m_bar->setVisible(isOurs);
}

void RunDashboard::showFailure(const Failure& failure) {
    m_banner->showError(failure.code, failure.message, failure.hint);
}

void RunDashboard::showStages() {
    m_stageLine->setStages(m_stages);
    const bool hasMetrics = m_metrics->rowCount() > 0;
    m_metricsTable->setVisible(hasMetrics);
    m_noMetrics->setVisible(!hasMetrics);
}

void RunDashboard::showNow() {
    if (!isLive()) {
        const bool isTimed = m_summary.started.isValid() && m_summary.ended.isValid();
        m_progress->setText(
            isTimed ? tr("started %1, took %2")
                          .arg(QLocale().toString(m_summary.started, QLocale::ShortFormat),
                               format::duration(
                                   static_cast<double>(m_summary.started.secsTo(m_summary.ended))))
                    : QString());
        return;
    }
    m_bar->setValue(static_cast<int>(m_run.fraction() * barSteps));
    m_progress->setText(m_run.sentence());
}

}  // namespace espalier::ui
