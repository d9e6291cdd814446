#include "ui/pages/experts_measure_panel.h"

#include <QBoxLayout>
#include <QComboBox>
#include <QFileInfo>
#include <QLabel>
#include <QLocale>
#include <QProgressBar>
#include <QSignalBlocker>
#include <QSpinBox>

#include "ui/bridge/expert_session.h"
#include "ui/bridge/sample.h"
#include "ui/charts/frontier_chart.h"
#include "ui/models/format.h"
#include "ui/theme/metrics.h"
#include "ui/widgets/field.h"
#include "ui/widgets/file_dialogs.h"
#include "ui/widgets/info_view.h"
#include "ui/widgets/push_button.h"
#include "ui/widgets/text_label.h"

namespace espalier::ui {
namespace {

constexpr int barSteps = 1000;
/// It shares its column with the expert and the history.
constexpr int linesOfChart = 8;
constexpr double gigabyte = 1e9;
constexpr double megabyte = 1e6;
constexpr int defaultSeconds = 60;
constexpr int mostSeconds = 24 * 3600;

}  // namespace

ExpertsMeasurePanel::ExpertsMeasurePanel(ExpertSession& session, QWidget* parent)
    : QWidget(parent), m_session(session) {
    buildLayout();
    connect(&m_session, &ExpertSession::dataChanged, this, &ExpertsMeasurePanel::showData);
    connect(&m_session, &ExpertSession::planChanged, this, &ExpertsMeasurePanel::showNumbers);
    connect(&m_session, &ExpertSession::readingChanged, this, [this] {
        showNumbers();
        showBusy();
    });
    connect(&m_session, &ExpertSession::pointsChanged, this, &ExpertsMeasurePanel::showPoints);
    connect(&m_session, &ExpertSession::planChanged, this, &ExpertsMeasurePanel::showPoints);
    connect(m_points, &FrontierChart::pointActivated, &m_session, &ExpertSession::goToPoint);
    connect(&m_session.probe(), &ProbeWorker::progressed, this, &ExpertsMeasurePanel::showProgress);
    connect(&m_session.probe(), &ProbeWorker::measured, this,
            [this](const ProbeReading& reading) { showProgress(reading.share, {}); });
    connect(m_probe, &QComboBox::activated, this, &ExpertsMeasurePanel::takeProbe);
    connect(m_measure, &QPushButton::clicked, this, [this] {
        if (cancel()) return;
        m_isSearching = false;
        m_session.measure();
    });
    connect(m_auto, &QPushButton::clicked, this, [this] {
        if (cancel()) return;
        m_isSearching = true;
        m_session.search(m_seconds->value());
    });
    showData();
}

void ExpertsMeasurePanel::buildLayout() {
    m_numbers = new InfoView(QStringLiteral("exp_plan_predict_view"));
    m_numbers->setAccessibleName(tr("What the plan comes to"));
    m_tasks = new InfoView(QStringLiteral("exp_plan_tasks_view"));
    m_tasks->setAccessibleName(tr("What each task keeps"));
    m_taskTitle = new TextLabel(TextKind::Caption);
    m_points = new FrontierChart(QStringLiteral("exp_plan_points_chart"));
    m_points->setEmptyText(tr("Each plan that you measure becomes a point here."));
    m_points->setLeastLines(linesOfChart);
    auto* quality = new QVBoxLayout;
    quality->setSpacing(space::inGroup);
    quality->addWidget(m_taskTitle);
    quality->addWidget(m_tasks);
    quality->addStretch(1);
    m_columns = new QBoxLayout(QBoxLayout::LeftToRight);
    m_columns->setSpacing(space::groups);
    m_columns->addWidget(m_numbers, 3, Qt::AlignTop);
    m_columns->addLayout(quality, 2);
    m_problem = new TextLabel(TextKind::Secondary);
    m_problem->setObjectName(QStringLiteral("exp_plan_unmeasured_label"));
    m_problem->hide();
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins({});
    layout->setSpacing(space::controls);
    layout->addLayout(m_columns);
    layout->addStretch(1);
    layout->addWidget(m_problem);
    layout->addWidget(makeMeasureLine());
    layout->addWidget(makeSearchLine());
    layout->addLayout(makeProgress());
}

QLayout* ExpertsMeasurePanel::makeProgress() {
    m_bar = new QProgressBar;
    m_bar->setObjectName(QStringLiteral("exp_plan_measure_bar"));
    m_bar->setAccessibleName(tr("Progress of measuring"));
    m_bar->setRange(0, barSteps);
    m_bar->setTextVisible(false);
    m_bar->setFixedHeight(10);
    m_status = (new TextLabel(TextKind::Secondary))->asElided();
    m_status->setObjectName(QStringLiteral("exp_plan_status_label"));
    auto* progress = new QHBoxLayout;
    progress->addWidget(m_bar, 1);
    progress->addWidget(m_status, 1);
    return progress;
}

QWidget* ExpertsMeasurePanel::makeMeasureLine() {
    m_probe = new QComboBox;
    m_probe->setObjectName(QStringLiteral("exp_plan_probe_combo"));
    m_probe->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    m_probe->setMinimumContentsLength(6);
    m_measure = new PushButton(QStringLiteral("exp_plan_measure_btn"), tr("Measure now"));
    auto* label = new QLabel(tr("Measure on"));
    label->setBuddy(m_probe);
    auto* line = new QWidget;
    auto* layout = new QHBoxLayout(line);
    layout->setContentsMargins({});
    layout->addWidget(label);
    layout->addWidget(m_probe, 1);
    layout->addWidget(m_measure);
    return line;
}

QWidget* ExpertsMeasurePanel::makeSearchLine() {
    m_seconds = new QSpinBox;
    m_seconds->setObjectName(QStringLiteral("exp_plan_auto_spin"));
    m_seconds->setRange(1, mostSeconds);
    m_seconds->setValue(defaultSeconds);
    m_seconds->setSuffix(tr(" s"));
    m_auto = new PushButton(QStringLiteral("exp_plan_auto_btn"), tr("Find a better plan"));
    m_auto->setToolTip(
        tr("Tries every criterion and then exchanges experts, measuring each time. "
           "As many stay as now."));
    auto* label = new QLabel(tr("Search for"));
    label->setBuddy(m_seconds);
    auto* line = new QWidget;
    auto* layout = new QHBoxLayout(line);
    layout->setContentsMargins({});
    layout->addWidget(label);
    layout->addWidget(m_seconds);
    layout->addStretch(1);
    layout->addWidget(m_auto);
    return line;
}

void ExpertsMeasurePanel::arrange(bool isNarrow) {
    m_columns->setDirection(isNarrow ? QBoxLayout::TopToBottom : QBoxLayout::LeftToRight);
}

bool ExpertsMeasurePanel::cancel() {
    if (!m_session.probe().isBusy()) return false;
    m_session.probe().cancel();
    return true;
}

void ExpertsMeasurePanel::addProbe(const QString& label, const ProbeSource& source) {
    m_probes.push_back(source);
    m_probe->addItem(label);
    m_probe->setItemData(m_probe->count() - 1, source.file, Qt::ToolTipRole);
}

void ExpertsMeasurePanel::showData() {
    const ExpertDataPtr& known = m_session.data();
    const QSignalBlocker blocker(m_probe);
    m_probe->clear();
    m_probes.clear();
    setEnabled(known != nullptr);
    if (known && !known->data.empty())
        addProbe(tr("texts kept out of calibration"), {.file = {}, .data = known->data});
    const auto sample = sampleFolder();
    if (known && sample && known->model.startsWith(*sample)) {
        for (const char* name : {"python", "cpp", "prose"}) {
            const QString file =
                *sample + QStringLiteral("/heldout/%1.txt").arg(QLatin1String(name));
            addProbe(tr("held-out text: %1").arg(QLatin1String(name)), {.file = file, .data = {}});
        }
    }
    m_probe->addItem(tr("Other text…"));
    m_probe->setCurrentIndex(0);
    m_session.setProbeSource(m_probes.empty() ? ProbeSource{} : m_probes.front());
    showNumbers();
    showBusy();
}

bool ExpertsMeasurePanel::hasProbe() const {
    return m_probe->currentIndex() >= 0 &&
           m_probe->currentIndex() < static_cast<int>(m_probes.size());
}

void ExpertsMeasurePanel::takeProbe() {
    if (hasProbe()) {
        m_session.setProbeSource(m_probes[static_cast<std::size_t>(m_probe->currentIndex())]);
    } else {
        chooseFile();
    }
    showBusy();
}

void ExpertsMeasurePanel::chooseFile() {
    askForFiles(*this, tr("Choose a text to measure on"),
                tr("Texts (*.txt *.jsonl);;All files (*)"), [this](const QStringList& paths) {
                    const ProbeSource source{.file = paths.value(0), .data = {}};
                    m_probes.push_back(source);
                    const int place = m_probe->count() - 1;
                    m_probe->insertItem(place, QFileInfo(source.file).fileName());
                    m_probe->setCurrentIndex(place);
                    takeProbe();
                });
}

InfoRow ExpertsMeasurePanel::divergenceRow() const {
    const QString label = tr("KL divergence");
    const QString id = QStringLiteral("kl");
    const QString tip = tr("How far the predictions move from the whole model's, in nats a token.");
    if (const auto reading = m_session.reading()) {
        const QString value = format::significant(reading->cost.all.kl);
        const QString tokens = QLocale().toString(qlonglong{reading->cost.all.tokens});
        return {id, label,
                reading->isFinal() ? tr("%1, on %2 tokens").arg(value, tokens)
                                   : tr("%1 so far, on %2 tokens").arg(value, tokens),
                false, tip};
    }
    if (const QString problem = m_session.measureProblem(); !problem.isEmpty())
        return {id, label, tr("cannot be measured yet"), false, problem};
    const auto predicted =
        m_session.points().predictedKl(m_session.plan(), m_session.probeSource());
    if (predicted) {
        return {id, label,
                format::estimated(
                    tr("%1, between measured plans").arg(format::significant(*predicted))),
                true, tip};
    }
    return {id, label, tr("not measured yet"), false, tip};
}

InfoRow ExpertsMeasurePanel::taskRow(const std::string& task, double mass,
                                     const ProbeReading* reading) const {
    QString value = format::percent(mass).replace(u' ', QChar::Nbsp);
    if (reading != nullptr) {
        for (std::size_t i = 0; i < reading->tasks.size(); ++i) {
            if (reading->tasks[i] != task || reading->cost.tasks[i].tokens == 0) continue;
            value += tr("; %1\u00A0→\u00A0%2", "perplexity before and after")
                         .arg(format::significant(reading->whole.tasks[i].perplexity),
                              format::significant(reading->cost.tasks[i].perplexity));
        }
    }
    const QString name = task.empty() ? tr("all texts") : QString::fromStdString(task);
    return {QStringLiteral("task:") + QString::fromStdString(task), name, value, false,
            tr("How much of what all experts give on these texts those give that stay.")};
}

InfoRow ExpertsMeasurePanel::routingRow(const ProbeRouting& routing) {
    return {QStringLiteral("routing"), tr("Routing"),
            tr("%1: %2 of the choices stay")
                .arg(format::routingVerdict(QString::fromStdString(routing.verdict)),
                     format::percent(routing.recall)),
            false,
            tr("Of the choices of experts that are still there, %1 are made as before, in layer %2 "
               "%3. %4 of all choices were of experts that are gone.")
                .arg(format::percent(routing.recall))
                .arg(routing.worstLayer)
                .arg(format::percent(routing.worstRecall), format::percent(routing.displaced))};
}

void ExpertsMeasurePanel::showNumbers() {
    const ExpertDataPtr& known = m_session.data();
    if (!known || m_session.plan().isEmpty()) {
        m_numbers->setRows({});
        m_tasks->setRows({});
        return;
    }
    const PlanNumbers numbers = m_session.numbers(m_session.plan());
    const auto reading = m_session.reading();
    std::vector<InfoRow> rows{
        {QStringLiteral("experts"),
         tr("Experts"),
         tr("%1 of %2 stay").arg(numbers.keptExperts).arg(numbers.allExperts),
         false,
         {}},
        {QStringLiteral("size"), tr("Size"),
         tr("%1 → %2").arg(format::fileSize(known->modelBytes),
                           format::estimated(format::fileSize(numbers.bytes))),
         true, tr("Of the tensors as they are stored now; quantizing makes them smaller still.")},
        {QStringLiteral("memory"), tr("Memory"), format::estimated(format::memory(numbers.memory)),
         true,
         tr("Weights, buffers and the cache of %1 tokens.")
             .arg(QLocale().toString(qlonglong{ExpertSession::memoryTokens}))},
        {QStringLiteral("speed"), tr("Speed"), tr("as before"), false,
         tr("Each token is still sent to %1 experts.").arg(known->config.router.top_k)},
        divergenceRow()};
    if (reading) {
        rows.push_back({QStringLiteral("top1"),
                        tr("Same best token"),
                        format::percent(reading->cost.all.top1),
                        false,
                        {}});
        rows.push_back({QStringLiteral("perplexity"),
                        tr("Perplexity"),
                        tr("%1 → %2").arg(format::significant(reading->whole.all.perplexity),
                                          format::significant(reading->cost.all.perplexity)),
                        false,
                        {}});
        if (reading->routing) rows.push_back(routingRow(*reading->routing));
    }
    m_numbers->setRows(rows);
    m_taskTitle->setText(reading ? tr("Output kept;  perplexity before → after")
                                 : tr("Output kept"));
    std::vector<InfoRow> tasks;
    for (const auto& [task, mass] : numbers.taskMass)
        tasks.push_back(taskRow(task, mass, reading ? &*reading : nullptr));
    m_tasks->setRows(tasks);
}

void ExpertsMeasurePanel::showBusy() {
    const bool isBusy = m_session.probe().isBusy();
    const bool canStart = m_session.data() && hasProbe();
    const QString problem = m_session.measureProblem();
    m_measure->setText(isBusy && !m_isSearching ? tr("Cancel") : tr("Measure now"));
    m_auto->setText(isBusy && m_isSearching ? tr("Cancel search") : tr("Find a better plan"));
    const bool isMeasuring = isBusy && !m_isSearching;
    m_measure->setEnabled(isMeasuring || (canStart && !isBusy && problem.isEmpty()));
    m_measure->setToolTip(problem.isEmpty() ? tr("Runs the model with the removed experts masked. "
                                                 "No weight is written.")
                                            : problem);
    m_problem->setText(problem);
    m_problem->setVisible(!problem.isEmpty());
    m_auto->setEnabled(canStart && m_session.data()->hasStats() && (!isBusy || m_isSearching));
    m_seconds->setEnabled(!isBusy);
    m_probe->setEnabled(!isBusy);
    m_bar->setVisible(isBusy);
    m_status->setVisible(isBusy);
    if (!isBusy) m_bar->setValue(0);
    if (isBusy && m_bar->value() == 0)
        m_status->setText(m_isSearching ? tr("Measuring every criterion…")
                                        : tr("Running the whole model first…"));
}

void ExpertsMeasurePanel::showPoints() {
    if (!m_session.data()) return m_points->clear();
    const bool isLarge = static_cast<double>(m_session.data()->modelBytes) > gigabyte;
    m_points->setAxis(isLarge ? tr("size, GB") : tr("size, MB"));
    const MeasuredPoint* current =
        m_session.points().find(m_session.plan(), m_session.probeSource());
    const QString probe = keyOf(m_session.probeSource());
    std::vector<FrontierPoint> points;
    for (const MeasuredPoint& point : m_session.points().all()) {
        if (point.probe != probe) continue;
        const PlanSettings& settings = point.plan.settings;
        points.push_back({.id = point.id,
                          .name = tr("plan %1, %2, keeps %3")
                                      .arg(point.id)
                                      .arg(QString::fromStdString(point.plan.chooser))
                                      .arg(settings.keep),
                          .x = static_cast<double>(point.bytes) / (isLarge ? gigabyte : megabyte),
                          .kl = point.reading.cost.all.kl,
                          .isMeasured = true,
                          .isCurrent = &point == current});
    }
    m_points->setPoints(std::move(points));
}

void ExpertsMeasurePanel::showProgress(double fraction, const QString& text) {
    m_bar->setValue(static_cast<int>(fraction * barSteps));
    m_status->setText(text.isEmpty() ? tr("%1 of the texts").arg(format::percent(fraction)) : text);
}

}  // namespace espalier::ui
