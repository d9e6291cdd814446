#include "ui/pages/start_page.h"

#include <QDragEnterEvent>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QMimeData>
#include <QTableView>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/bridge/background_worker.h"
#include "ui/bridge/machine_info.h"
#include "ui/bridge/run_controller.h"
#include "ui/bridge/run_summary.h"
#include "ui/models/format.h"
#include "ui/models/runs_model.h"
#include "ui/theme/metrics.h"
#include "ui/widgets/banner.h"
#include "ui/widgets/card.h"
#include "ui/widgets/drop_area.h"
#include "ui/widgets/info_view.h"
#include "ui/widgets/push_button.h"
#include "ui/widgets/table_setup.h"
#include "ui/widgets/text_label.h"
#include "ui/widgets/vertical_scroll.h"

namespace espalier::ui {
namespace {

QWidget* makeWay(const QString& title, const QString& sentence, QPushButton* button) {
    auto* card = new Card;
    auto* layout = new QVBoxLayout(card);
    layout->setContentsMargins({});
    layout->addWidget(new TextLabel(TextKind::Heading, title));
    layout->addWidget(new TextLabel(TextKind::Secondary, sentence));
    layout->addStretch(1);
    layout->addWidget(button, 0, Qt::AlignLeft);
    return card;
}

bool canResume(const RunSummary& run) {
    return run.folderExists &&
           (run.state == QLatin1String("stopped") || run.state == QLatin1String("failed") ||
            run.state == QLatin1String("interrupted"));
}

}  // namespace

StartPage::StartPage(const Services& services, QWidget* parent)
    : Page(parent), m_services(services), m_runs(new RunsModel(this)) {
    setObjectName(QStringLiteral("startPage"));
    setAcceptDrops(true);
    buildLayout();
    connect(&m_services.runs, &RunController::stateChanged, this, &StartPage::refresh);
}

void StartPage::buildLayout() {
    m_recoverBanner = new Banner(QStringLiteral("start_recover_banner"));
    m_recover = new PushButton(QStringLiteral("start_recover_btn"), tr("Resume"));
    m_recover->setAccessibleName(tr("Resume the interrupted run"));
    m_recoverBanner->addButton(m_recover);
    connect(m_recover, &QPushButton::clicked, this,
            [this] { Q_EMIT resumeRequested(m_interrupted); });
    m_drop = new DropArea(QStringLiteral("start_drop_view"),
                          tr("Drop a model, a folder of models, a recipe or a text here"));
    m_drop->setAcceptDrops(false);  // the whole page accepts

    m_columns = new QBoxLayout(QBoxLayout::LeftToRight);
    m_columns->setSpacing(space::sections);
    m_columns->addWidget(makeRecent(), 3);
    m_columns->addWidget(makeComputer(), 2);
    auto* content = new QWidget;
    m_column = new QVBoxLayout(content);
    m_column->setContentsMargins(space::sections, space::pageMargin, space::sections,
                                 space::pageMargin);
    m_column->setSpacing(space::groups);
    m_column->addWidget(new TextLabel(TextKind::Title, QStringLiteral("Espalier")));
    m_column->addWidget(m_recoverBanner);
    m_column->addWidget(makeWays());
    m_column->addLayout(m_columns);
    m_column->addWidget(m_drop, 1);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins({});
    layout->addWidget(new VerticalScroll(content));
}

void StartPage::arrange(bool isNarrow) {
    const auto direction = isNarrow ? QBoxLayout::TopToBottom : QBoxLayout::LeftToRight;
    m_ways->setDirection(direction);
    m_columns->setDirection(direction);
}

QWidget* StartPage::makeWays() {
    auto* compress =
        (new PushButton(QStringLiteral("start_new_compress_btn"), tr("Compress a model…")))
            ->asPrimary();
    auto* inspect = new PushButton(QStringLiteral("start_new_inspect_btn"), tr("Inspect experts"));
    auto* play = new PushButton(QStringLiteral("start_new_play_btn"), tr("Open playground"));
    auto* sample = new PushButton(QStringLiteral("start_sample_btn"), tr("Try the sample"));
    connect(compress, &QPushButton::clicked, this, &StartPage::compressRequested);
    connect(inspect, &QPushButton::clicked, this, &StartPage::inspectRequested);
    connect(play, &QPushButton::clicked, this, &StartPage::playRequested);
    connect(sample, &QPushButton::clicked, this, &StartPage::sampleRequested);
    auto* ways = new QWidget;
    ways->setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Fixed);
    m_ways = new QBoxLayout(QBoxLayout::LeftToRight, ways);
    m_ways->setContentsMargins({});
    m_ways->setSpacing(space::groups);
    m_ways->addWidget(makeWay(
        tr("Make a model fit"),
        tr("Remove the experts that your work does not use and store the rest in fewer bits."),
        compress));
    m_ways->addWidget(makeWay(tr("See what experts do"),
                              tr("Try a pruning on the map of all experts, measure it, undo it."),
                              inspect));
    m_ways->addWidget(makeWay(tr("Chat with a model"),
                              tr("Talk to any model on this computer, compressed or not."), play));
    m_ways->addWidget(makeWay(
        tr("New here?"),
        tr("A tiny model goes through every stage in a minute, and ends in the playground."),
        sample));
    return ways;
}

QWidget* StartPage::makeRecent() {
    m_table = new QTableView;
    m_table->setObjectName(QStringLiteral("start_recent_table"));
    m_table->setAccessibleName(tr("Recent runs"));
    m_table->setModel(m_runs);
    setUpTable(*m_table);
    for (const int column : {RunsModel::Model, RunsModel::Result, RunsModel::Took})
        m_table->hideColumn(column);
    m_recentEmpty = new TextLabel(TextKind::Secondary,
                                  tr("Runs appear here: each turns one model into a smaller one."));
    m_open = new PushButton(QStringLiteral("start_recent_open_btn"), tr("Open"));
    m_resume = new PushButton(QStringLiteral("start_recent_resume_btn"), tr("Resume"));
    m_remove = new PushButton(QStringLiteral("start_recent_remove_btn"), tr("Remove from list"));
    m_remove->setToolTip(tr("The folder of the run stays on the disk."));
    connect(m_table, &QTableView::activated, this, &StartPage::openSelected);
    connect(m_table->selectionModel(), &QItemSelectionModel::selectionChanged, this,
            &StartPage::updateButtons);
    connect(m_open, &QPushButton::clicked, this, &StartPage::openSelected);
    connect(m_resume, &QPushButton::clicked, this, &StartPage::resumeSelected);
    connect(m_remove, &QPushButton::clicked, this, &StartPage::removeSelected);
    auto* buttons = new QHBoxLayout;
    for (QWidget* button : {m_open, m_resume, m_remove}) buttons->addWidget(button);
    buttons->addStretch(1);
    auto* recent = new QWidget;
    auto* layout = new QVBoxLayout(recent);
    layout->setContentsMargins({});
    layout->addWidget(new TextLabel(TextKind::Heading, tr("Recent")));
    layout->addWidget(m_recentEmpty);
    layout->addWidget(m_table, 1);
    layout->addLayout(buttons);
    layout->addStretch(0);
    updateButtons();
    return recent;
}

QWidget* StartPage::makeComputer() {
    m_machine = new InfoView(QStringLiteral("start_machine_view"));
    auto* computer = new QWidget;
    auto* layout = new QVBoxLayout(computer);
    layout->setContentsMargins({});
    layout->addWidget(new TextLabel(TextKind::Heading, tr("This computer")));
    layout->addWidget(m_machine);
    layout->addStretch(1);
    return computer;
}

void StartPage::refresh() {
    const QString live = m_services.runs.isBusy() ? m_services.runs.folder() : QString();
    m_services.worker.ask(
        this, "machine", [](TaskContext&) { return readMachineInfo(); },
        [this](const MachineInfo& machine) { showMachine(machine); },
        [this](const Failure& failure) {
            m_machine->setRows({{QStringLiteral("failure"), tr("Not read"), failure.message, false,
                                 failure.hint}});
        });
    m_services.worker.ask(
        this, "runs", [live](TaskContext& context) { return readRuns(context.library(), live); },
        [this](std::vector<RunSummary> runs) { showRuns(std::move(runs)); },
        [this](const Failure& failure) {
            m_recover->hide();
            m_recoverBanner->showError(failure.code, failure.message, failure.hint);
        });
}

void StartPage::showRuns(std::vector<RunSummary> runs) {
    const auto broken = std::find_if(runs.begin(), runs.end(), [](const RunSummary& run) {
        return run.state == QLatin1String("interrupted") && run.folderExists;
    });
    if (broken != runs.end()) {
        m_interrupted = broken->path;
        m_recover->show();
        m_recover->setEnabled(!m_services.runs.isBusy());
        m_recoverBanner->showMessage(
            BannerKind::Warn,
            tr("The run %1 was interrupted. Its finished stages are kept.").arg(broken->name));
    } else {
        m_recoverBanner->dismiss();
    }
    m_runs->setRuns(std::move(runs));
    const bool isEmpty = m_runs->rowCount() == 0;
    m_recentEmpty->setVisible(isEmpty);
    m_table->setVisible(!isEmpty);
    for (QWidget* button : {m_open, m_resume, m_remove}) button->setVisible(!isEmpty);
    // What the list does not need yet, the target for files takes.
    m_column->setStretchFactor(m_columns, isEmpty ? 0 : 1);
    m_column->setStretchFactor(m_drop, isEmpty ? 1 : 0);
    if (!isEmpty && !m_table->currentIndex().isValid()) m_table->selectRow(0);
    updateButtons();
    Q_EMIT pageReady();
}

void StartPage::showMachine(const MachineInfo& machine) {
    m_machine->setRows({
        {QStringLiteral("memory"),
         tr("Memory"),
         tr("%1, %2 free")
             .arg(format::memory(machine.memoryBytes), format::memory(machine.availableBytes)),
         false,
         {}},
        {QStringLiteral("disk"), tr("Disk"),
         tr("%1 free on %2").arg(format::fileSize(machine.diskFreeBytes), machine.diskPath), false,
         tr("Where results are written.")},
        {QStringLiteral("cpu"),
         tr("Processor cores"),
         tr("%1, %2").arg(machine.cores).arg(machine.simd),
         false,
         {}},
    });
}

const RunSummary* StartPage::selectedRun() const {
    const QModelIndexList rows = m_table->selectionModel()->selectedRows();
    return rows.isEmpty() ? nullptr : &m_runs->run(rows.first().row());
}

void StartPage::updateButtons() {
    const RunSummary* run = selectedRun();
    m_open->setEnabled(run != nullptr);
    m_remove->setEnabled(run != nullptr && run->state != QLatin1String("running"));
    m_resume->setEnabled(run != nullptr && canResume(*run) && !m_services.runs.isBusy());
}

void StartPage::openSelected() {
    if (const RunSummary* run = selectedRun()) Q_EMIT runOpened(run->path);
}

void StartPage::resumeSelected() {
    if (const RunSummary* run = selectedRun()) Q_EMIT resumeRequested(run->path);
}

void StartPage::removeSelected() {
    const RunSummary* run = selectedRun();
    if (run == nullptr) return;
    m_services.worker.run([path = run->path.toStdString()](TaskContext& context) {
        context.library().remove_run(path);
    });
    refresh();
}

void StartPage::dragEnterEvent(QDragEnterEvent* event) {
    if (!localPaths(*event->mimeData()).isEmpty()) event->acceptProposedAction();
}

void StartPage::dropEvent(QDropEvent* event) {
    event->acceptProposedAction();
    Q_EMIT filesDropped(localPaths(*event->mimeData()));
}

}  // namespace espalier::ui
