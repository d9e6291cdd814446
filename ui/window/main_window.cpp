#include "ui/window/main_window.h"

#include <QActionGroup>
#include <QApplication>
#include <QCloseEvent>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QMessageBox>
#include <QPushButton>
#include <QScreen>
#include <QStackedWidget>
#include <QUndoGroup>
#include <QVBoxLayout>
#include <chrono>

#include "base/memory.h"
#include "formats/hub_folder.h"
#include "store/database.h"
#include "ui/bridge/background_worker.h"
#include "ui/pages/experts_page.h"
#include "ui/pages/models_page.h"
#include "ui/pages/play_page.h"
#include "ui/pages/runs_page.h"
#include "ui/pages/start_page.h"
#include "ui/pages/wizard_page.h"
#include "ui/theme/theme_controller.h"
#include "ui/widgets/job_strip.h"
#include "ui/widgets/nav_rail.h"
#include "ui/window/settings_file.h"

namespace espalier::ui {
namespace {

using namespace std::chrono_literals;

constexpr QSize defaultSize{1280, 800};
constexpr QSize leastSize{800, 560};
constexpr auto memoryInterval = 2s;
constexpr int stateVersion = 1;
constexpr int frameRoom = 40;

struct ResumableRun {
    Recipe recipe;
    std::filesystem::path library;
};

bool isRecipe(const QFileInfo& file) {
    return file.suffix().compare(QLatin1String("json"), Qt::CaseInsensitive) == 0;
}

bool isModel(const QFileInfo& file) {
    return file.isDir() ? HubFolder::looks_like_one(file.filePath().toStdString())
                        : file.suffix().compare(QLatin1String("gguf"), Qt::CaseInsensitive) == 0;
}

}  // namespace

MainWindow::MainWindow(const Services& services, ThemeController& theme)
    : m_services(services), m_theme(theme), m_settings(settingsFile(), QSettings::IniFormat) {
    setObjectName(QStringLiteral("mainWindow"));
    setWindowTitle(QStringLiteral("Espalier"));
    setMinimumSize(leastSize);
    buildLayout();
    connectPages();
    connectRuns();
    buildMenus();
    m_availableAtStart = machine_memory().available_bytes;
    m_memoryTimer.setInterval(memoryInterval);
    connect(&m_memoryTimer, &QTimer::timeout, this, &MainWindow::updateMemory);
    m_memoryTimer.start();
    updateMemory();
    restore();
    goTo(Start);
}

void MainWindow::buildLayout() {
    m_rail = new NavRail;
    m_stack = new QStackedWidget;
    m_stack->setObjectName(QStringLiteral("pages"));
    m_strip = new JobStrip;
    m_start = new StartPage(m_services);
    m_models = new ModelsPage(m_services);
    m_wizard = new WizardPage(m_services);
    m_runs = new RunsPage(m_services);
    m_experts = new ExpertsPage(m_services);
    m_play = new PlayPage(m_services);
    addPage(m_start, QStringLiteral("start"), tr("Start"));
    addPage(m_models, QStringLiteral("models"), tr("Models"));
    addPage(m_wizard, QStringLiteral("compress"), tr("Compress"));
    addPage(m_runs, QStringLiteral("runs"), tr("Runs"));
    addPage(m_experts, QStringLiteral("experts"), tr("Experts"));
    addPage(m_play, QStringLiteral("play"), tr("Play"));
    connect(m_rail, &QListWidget::currentRowChanged, this, &MainWindow::goTo);
    auto* upper = new QHBoxLayout;
    upper->setSpacing(0);
    upper->addWidget(m_rail);
    upper->addWidget(m_stack, 1);
    auto* centre = new QWidget;
    auto* layout = new QVBoxLayout(centre);
    layout->setContentsMargins({});
    layout->setSpacing(0);
    layout->addLayout(upper, 1);
    layout->addWidget(m_strip);
    setCentralWidget(centre);
}

void MainWindow::addPage(Page* page, const QString& icon, const QString& text) {
    page->setAccessibleName(text);
    m_stack->addWidget(page);
    m_rail->addEntry({page->objectName(), icon, text});
    connect(page, &Page::announced, m_strip, &JobStrip::announce);
}

void MainWindow::connectPages() {
    connect(m_start, &StartPage::compressRequested, this, [this] { goTo(Compress); });
    connect(m_start, &StartPage::inspectRequested, this, [this] { goTo(Experts); });
    connect(m_start, &StartPage::playRequested, this, [this] { goTo(Play); });
    connect(m_start, &StartPage::runOpened, this, &MainWindow::openRun);
    connect(m_start, &StartPage::resumeRequested, this,
            [this](const QString& folder) { resumeRun(folder); });
    connect(m_start, &StartPage::filesDropped, this, &MainWindow::openPaths);
    connect(m_models, &ModelsPage::compressRequested, this, &MainWindow::compressModel);
    connect(m_models, &ModelsPage::playRequested, this, &MainWindow::playModel);
    connect(m_models, &ModelsPage::inspectRequested, this,
            [this](const QString& model) { inspectModel(model); });
    connect(m_runs, &RunsPage::inspectRequested, this, &MainWindow::inspectModel);
    connect(m_experts, &ExpertsPage::runStarted, this, &MainWindow::openRun);
    connect(m_runs, &RunsPage::compressRequested, this, [this] { goTo(Compress); });
    connect(m_runs, &RunsPage::playRequested, this, &MainWindow::playModel);
    connect(m_runs, &RunsPage::resumeRequested, this, &MainWindow::resumeRun);
    connect(m_wizard, &WizardPage::runStarted, this, &MainWindow::openRun);
    const auto openSample = [this] {
        goTo(Compress);
        m_wizard->openSample();
    };
    connect(m_start, &StartPage::sampleRequested, this, openSample);
    connect(m_models, &ModelsPage::sampleRequested, this, openSample);
    connect(m_runs, &RunsPage::sampleRequested, this, openSample);
}

void MainWindow::connectRuns() {
    RunController* runs = &m_services.runs;
    connect(runs, &RunController::runStarted, this, [this] { m_progress.clear(); });
    connect(runs, &RunController::eventsArrived, this, &MainWindow::takeRunEvents);
    connect(runs, &RunController::stateChanged, this, &MainWindow::takeRunState);
    connect(m_strip, &JobStrip::stopRequested, runs, &RunController::stop);
    connect(m_strip, &JobStrip::openRequested, this, [this] { openRun(m_services.runs.folder()); });
    connect(&m_services.worker, &BackgroundWorker::taskFailed, this,
            [this](const Failure& failure) { m_strip->announce(failure.message); });
}

bool MainWindow::showPage(const QString& name) {
    for (int i = 0; i < m_stack->count(); ++i) {
        const QString page = m_stack->widget(i)->objectName();
        if (page == name || page == name + QStringLiteral("Page")) {
            goTo(i);
            return true;
        }
    }
    return false;
}

void MainWindow::openPaths(const QStringList& paths) {
    QStringList texts;
    for (const QString& path : paths) {
        const QFileInfo file(path);
        if (isModel(file)) {
            if (file.isDir()) {
                compressModel(file.absoluteFilePath());
            } else {
                playModel(file.absoluteFilePath());
            }
        } else if (file.isFile() && isRecipe(file)) {
            goTo(Compress);
            m_wizard->openRecipe(file.absoluteFilePath());
        } else if (file.isDir()) {
            goTo(Models);
            m_models->addPaths({file.absoluteFilePath()});
        } else if (file.isFile()) {
            texts.append(file.absoluteFilePath());
        } else {
            m_strip->announce(tr("%1 is neither a model nor a file.").arg(path));
        }
    }
    if (texts.isEmpty()) return;
    goTo(Compress);
    m_wizard->addData(texts);
}

void MainWindow::goTo(int page) {
    if (page < 0 || page >= m_stack->count()) return;
    m_history.visit(page);
    turnTo(page);
}

void MainWindow::turnTo(int page) {
    // Walking along the rail stays there; any other way leads into the page.
    const bool leadsInside = isVisible() && page != m_stack->currentIndex() && !m_rail->hasFocus();
    m_stack->setCurrentIndex(page);
    if (leadsInside) focusInto(*m_stack);
    {
        const QSignalBlocker blocker(m_rail);
        m_rail->setCurrentRow(page);
    }
    m_rail->setUnseen(page, 0);
    // Elsewhere Ctrl+Z would change a plan that nobody sees.
    if (m_undo != nullptr)
        m_undo->setActiveStack(page == Experts ? &m_experts->history() : nullptr);
    if (m_back != nullptr) {
        m_back->setEnabled(m_history.canGoBack());
        m_forward->setEnabled(m_history.canGoForward());
    }
    currentPage()->refresh();
}

Page* MainWindow::currentPage() const { return static_cast<Page*>(m_stack->currentWidget()); }

void MainWindow::cancel() { currentPage()->cancelCurrent(); }

void MainWindow::focusNextPane(int direction) {
    const std::vector<QWidget*> panes{m_rail, m_stack, m_strip};
    const QWidget* focused = QApplication::focusWidget();
    int current = 0;
    for (std::size_t i = 0; i < panes.size(); ++i) {
        if (focused != nullptr && (panes[i] == focused || panes[i]->isAncestorOf(focused)))
            current = static_cast<int>(i);
    }
    const int count = static_cast<int>(panes.size());
    QWidget* next = panes[static_cast<std::size_t>((current + direction + count) % count)];
    if (next == m_rail) {
        m_rail->setFocus(Qt::TabFocusReason);
    } else {
        focusInto(*next);
    }
}

void MainWindow::focusInto(QWidget& pane) {
    // The first widget inside, in tab order, that takes the focus.
    for (QWidget* widget = pane.nextInFocusChain(); widget != &pane;
         widget = widget->nextInFocusChain()) {
        const bool takesFocus = (widget->focusPolicy() & Qt::TabFocus) != 0 &&
                                widget->isVisible() && widget->isEnabled();
        if (takesFocus && pane.isAncestorOf(widget)) {
            widget->setFocus(Qt::TabFocusReason);
            return;
        }
    }
}

void MainWindow::openRun(const QString& folder) {
    goTo(Runs);
    m_runs->openRun(folder);
}

void MainWindow::compressModel(const QString& model) {
    goTo(Compress);
    m_wizard->openModel(model);
}

void MainWindow::playModel(const QString& model) {
    goTo(Play);
    m_play->openModel(model);
}

void MainWindow::inspectModel(const QString& model, const QString& stats) {
    goTo(Experts);
    m_experts->openModel(model, stats);
}

void MainWindow::resumeRun(const QString& folder, int acceptedStages) {
    openRun(folder);
    if (m_services.runs.isBusy()) {
        m_runs->showFailure(
            {{}, tr("Another run is going on."), tr("Resume this one when it has ended.")});
        return;
    }
    m_services.worker.ask(
        this, "resume",
        [path = folder.toStdString()](TaskContext&) {
            return ResumableRun{load_recipe(std::filesystem::path(path) / "recipe.json"),
                                library_path()};
        },
        [this, folder, acceptedStages](const ResumableRun& run) {
            m_services.runs.start({.recipe = run.recipe,
                                   .out = folder.toStdString(),
                                   .resumes = true,
                                   .library = run.library,
                                   .accepts_routing = static_cast<std::size_t>(acceptedStages)});
        },
        [this](const Failure& failure) { m_runs->showFailure(failure); });
}

void MainWindow::takeRunEvents(const std::vector<RunEvent>& events) {
    for (const RunEvent& event : events) m_progress.take(event);
    if (m_services.runs.state() != JobState::Running) return;
    const QString name = QFileInfo(m_services.runs.folder()).fileName();
    m_strip->showJob(QStringLiteral("%1   %2").arg(name, m_progress.sentence()),
                     m_progress.fraction());
}

void MainWindow::takeRunState(JobState state) {
    m_stopRun->setEnabled(state == JobState::Running);
    const QString name = QFileInfo(m_services.runs.folder()).fileName();
    switch (state) {
        case JobState::Idle:
            return;
        case JobState::Running:
            m_strip->showJob(tr("%1   preparing…").arg(name), 0);
            return;
        case JobState::Stopping:
            m_strip->showStopping(tr("%1   stopping…").arg(name));
            return;
        case JobState::Held:
            m_strip->showResult(tr("%1   waits for you: its routing failed.").arg(name));
            break;
        case JobState::Stopped:
            m_strip->showResult(tr("%1   stopped. It can go on later.").arg(name));
            break;
        case JobState::Failed:
            m_strip->showResult(tr("%1   failed.").arg(name));
            break;
        case JobState::Finished:
            m_strip->showResult(tr("%1   finished.").arg(name));
            break;
    }
    if (m_stack->currentIndex() != Runs) m_rail->setUnseen(Runs, 1);
    if (m_quitsAfterRun) close();
}

void MainWindow::updateMemory() {
    const ProcessMemory own = process_memory();
    m_strip->setMemory({.ownBytes = own.anonymous_bytes,
                        .residentBytes = own.resident_bytes,
                        .peakBytes = own.peak_resident_bytes,
                        .availableAtStart = m_availableAtStart,
                        .availableNow = machine_memory().available_bytes});
}

void MainWindow::closeEvent(QCloseEvent* event) {
    if (m_services.runs.isBusy()) {
        event->ignore();
        if (!m_quitsAfterRun) askBeforeQuit();
        return;
    }
    store();
    event->accept();
}

void MainWindow::askBeforeQuit() {
    auto* question = new QMessageBox(this);
    question->setObjectName(QStringLiteral("dlgQuit"));
    question->setAttribute(Qt::WA_DeleteOnClose);
    question->setIcon(QMessageBox::Question);
    question->setText(tr("A run is going on."));
    question->setInformativeText(
        tr("Its finished stages and checkpoints are kept: it can go on later."));
    auto* quit = question->addButton(tr("Stop and quit"), QMessageBox::AcceptRole);
    quit->setObjectName(QStringLiteral("dlgQuit_stop_btn"));
    auto* stay = question->addButton(tr("Stay"), QMessageBox::RejectRole);
    stay->setObjectName(QStringLiteral("dlgQuit_stay_btn"));
    question->setDefaultButton(stay);
    question->setEscapeButton(stay);
    connect(quit, &QPushButton::clicked, this, [this] {
        m_quitsAfterRun = true;
        m_services.runs.stop();
        if (!m_services.runs.isBusy()) close();
    });
    question->open();
}

void MainWindow::restore() {
    m_settings.beginGroup(QStringLiteral("window"));
    m_theme.setMode(static_cast<ThemeMode>(m_settings.value(QStringLiteral("theme"), 0).toInt()));
    m_theme.setTextPercent(m_settings.value(QStringLiteral("textPercent"), 100).toInt());
    m_rail->setShowsText(m_settings.value(QStringLiteral("railText"), true).toBool());
    // A frame of the desktop's comes on top of what the window asks for.
    const QSize room = screen()->availableSize() - QSize(frameRoom, frameRoom);
    resize(defaultSize.boundedTo(room).expandedTo(leastSize));
    if (m_settings.value(QStringLiteral("version")).toInt() == stateVersion) {
        restoreGeometry(m_settings.value(QStringLiteral("geometry")).toByteArray());
    }
    m_settings.endGroup();
    m_themes->actions().at(static_cast<int>(m_theme.mode()))->setChecked(true);
}

void MainWindow::store() {
    m_settings.beginGroup(QStringLiteral("window"));
    m_settings.setValue(QStringLiteral("version"), stateVersion);
    m_settings.setValue(QStringLiteral("geometry"), saveGeometry());
    m_settings.setValue(QStringLiteral("theme"), static_cast<int>(m_theme.mode()));
    m_settings.setValue(QStringLiteral("textPercent"), m_theme.textPercent());
    m_settings.setValue(QStringLiteral("railText"), m_rail->showsText());
    m_settings.endGroup();
    m_settings.sync();
}

}  // namespace espalier::ui
