#pragma once

#include <QMainWindow>
#include <QSettings>
#include <QTimer>
#include <functional>
#include <vector>

#include "ui/bridge/run_controller.h"
#include "ui/bridge/services.h"
#include "ui/models/run_progress.h"
#include "ui/window/page_history.h"

class QActionGroup;
class QMenu;
class QStackedWidget;
class QUndoGroup;

namespace espalier::ui {

class ExpertsPage;
class JobStrip;
class ModelsPage;
class NavRail;
class Page;
class PlayPage;
class RunsPage;
class StartPage;
class ThemeController;
class WizardPage;

/// Rail, pages, job strip and menus: composes the pages and carries their wishes to each other.
class MainWindow : public QMainWindow {
    Q_OBJECT

public:
    MainWindow(const Services& services, ThemeController& theme);

    /// By object name ("runsPage") or its first word ("runs"). False if there is no such page.
    bool showPage(const QString& name);
    /// Model folders, .gguf files, recipes, texts: decides by content where they belong.
    void openPaths(const QStringList& paths);

protected:
    void closeEvent(QCloseEvent* event) override;

private:
    enum PageIndex { Start, Models, Compress, Runs, Experts, Play };

    void buildLayout();
    using QMainWindow::addAction;
    void addPage(Page* page, const QString& icon, const QString& text);
    void connectPages();
    void connectRuns();
    void buildMenus();
    void buildFileMenu();
    void buildEditMenu();
    void buildViewMenu();
    void buildThemeMenu(QMenu& view);
    void buildRunMenu();
    void buildHelpMenu();
    QAction* addAction(QMenu& menu, const QString& name, const QString& text,
                       const QKeySequence& keys, const std::function<void()>& act);
    void goTo(int page);
    void turnTo(int page);
    Page* currentPage() const;
    void cancel();
    void focusNextPane(int direction);
    static void focusInto(QWidget& pane);
    /// @param acceptedStages see RunRequest::accepts_routing
    void resumeRun(const QString& folder, int acceptedStages = 0);
    void openRun(const QString& folder);
    void compressModel(const QString& model);
    void playModel(const QString& model);
    /// @param stats of the model; empty = its newest
    void inspectModel(const QString& model, const QString& stats = {});
    void takeRunEvents(const std::vector<RunEvent>& events);
    void takeRunState(JobState state);
    void updateMemory();
    void askBeforeQuit();
    void showAbout();
    void showShortcuts();
    void restore();
    void store();

    Services m_services;
    ThemeController& m_theme;
    QSettings m_settings;
    NavRail* m_rail;
    QStackedWidget* m_stack;
    JobStrip* m_strip;
    StartPage* m_start;
    ModelsPage* m_models;
    WizardPage* m_wizard;
    RunsPage* m_runs;
    ExpertsPage* m_experts;
    PlayPage* m_play;
    PageHistory m_history;
    RunProgress m_progress;
    QTimer m_memoryTimer;
    quint64 m_availableAtStart = 0;
    QAction* m_back = nullptr;
    QAction* m_forward = nullptr;
    QAction* m_stopRun = nullptr;
    QActionGroup* m_themes = nullptr;
    QUndoGroup* m_undo = nullptr;
    bool m_quitsAfterRun = false;
};

}  // namespace espalier::ui
