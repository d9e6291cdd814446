#include <QActionGroup>
#include <QApplication>
#include <QMenu>
#include <QMenuBar>
#include <QMessageBox>
#include <QStackedWidget>
#include <QUndoGroup>

#include "ui/pages/experts_page.h"
#include "ui/pages/play_page.h"
#include "ui/pages/runs_page.h"
#include "ui/pages/wizard_page.h"
#include "ui/theme/theme_controller.h"
#include "ui/widgets/file_dialogs.h"
#include "ui/widgets/nav_rail.h"
#include "ui/window/main_window.h"

namespace espalier::ui {
namespace {

constexpr int textStep = 10;

}  // namespace

QAction* MainWindow::addAction(QMenu& menu, const QString& name, const QString& text,
                               const QKeySequence& keys, const std::function<void()>& act) {
    auto* action = new QAction(text, this);
    action->setObjectName(name);
    action->setShortcut(keys);
    connect(action, &QAction::triggered, this, act);
    menu.addAction(action);
    return action;
}

void MainWindow::buildMenus() {
    menuBar()->setObjectName(QStringLiteral("menuBar"));
    buildFileMenu();
    buildEditMenu();
    buildViewMenu();
    buildRunMenu();
    buildHelpMenu();
}

void MainWindow::buildFileMenu() {
    QMenu& menu = *menuBar()->addMenu(tr("&File"));
    menu.setObjectName(QStringLiteral("file_menu"));
    addAction(menu, QStringLiteral("act_file_new"), tr("&New"), QKeySequence::New,
              [this] { currentPage()->createNew(); });
    addAction(menu, QStringLiteral("act_file_open_folder"), tr("&Open model folder…"),
              QKeySequence::Open, [this] {
                  askForFolder(*this, tr("Choose a model folder"),
                               [this](const QString& path) { openPaths({path}); });
              });
    addAction(menu, QStringLiteral("act_file_open_file"), tr("Open &file…"),
              QKeySequence(tr("Ctrl+Shift+O")), [this] {
                  askForFiles(*this, tr("Open"),
                              tr("Models, recipes, texts (*.gguf *.json *.txt *.jsonl)"),
                              [this](const QStringList& paths) { openPaths(paths); });
              });
    addAction(menu, QStringLiteral("act_file_save"), tr("&Save plan"), QKeySequence::Save,
              [this] { currentPage()->save(); });
    menu.addSeparator();
    addAction(menu, QStringLiteral("act_file_quit"), tr("&Quit"), QKeySequence(tr("Ctrl+Q")),
              [this] { close(); });
}

void MainWindow::buildEditMenu() {
    QMenu& menu = *menuBar()->addMenu(tr("&Edit"));
    menu.setObjectName(QStringLiteral("edit_menu"));
    m_undo = new QUndoGroup(this);
    m_undo->addStack(&m_experts->history());
    QAction* undo = m_undo->createUndoAction(this, tr("&Undo"));
    undo->setObjectName(QStringLiteral("act_exp_undo"));
    undo->setShortcut(QKeySequence::Undo);
    QAction* redo = m_undo->createRedoAction(this, tr("&Redo"));
    redo->setObjectName(QStringLiteral("act_exp_redo"));
    redo->setShortcut(QKeySequence(tr("Ctrl+Shift+Z")));
    menu.addActions({undo, redo});
}

void MainWindow::buildViewMenu() {
    QMenu& menu = *menuBar()->addMenu(tr("&View"));
    menu.setObjectName(QStringLiteral("view_menu"));
    for (int i = 0; i < m_stack->count(); ++i) {
        const QString page = m_stack->widget(i)->objectName();
        addAction(menu, QStringLiteral("act_view_") + page,
                  QStringLiteral("&%1 %2").arg(i + 1).arg(m_rail->item(i)->text()),
                  QKeySequence(QStringLiteral("Ctrl+%1").arg(i + 1)), [this, i] { goTo(i); });
    }
    menu.addSeparator();
    m_back = addAction(menu, QStringLiteral("act_view_back"), tr("&Back"),
                       QKeySequence(tr("Alt+Left")), [this] { turnTo(m_history.goBack()); });
    m_forward = addAction(menu, QStringLiteral("act_view_forward"), tr("&Forward"),
                          QKeySequence(tr("Alt+Right")), [this] { turnTo(m_history.goForward()); });
    addAction(menu, QStringLiteral("act_view_next_pane"), tr("&Next pane"),
              QKeySequence(Qt::Key_F6), [this] { focusNextPane(1); });
    addAction(menu, QStringLiteral("act_view_previous_pane"), tr("&Previous pane"),
              QKeySequence(Qt::SHIFT | Qt::Key_F6), [this] { focusNextPane(-1); });
    menu.addSeparator();
    addAction(menu, QStringLiteral("act_view_text_larger"), tr("&Larger text"),
              QKeySequence::ZoomIn,
              [this] { m_theme.setTextPercent(m_theme.textPercent() + textStep); });
    addAction(menu, QStringLiteral("act_view_text_smaller"), tr("&Smaller text"),
              QKeySequence::ZoomOut,
              [this] { m_theme.setTextPercent(m_theme.textPercent() - textStep); });
    addAction(menu, QStringLiteral("act_view_text_normal"), tr("N&ormal text"),
              QKeySequence(tr("Ctrl+0")), [this] { m_theme.setTextPercent(100); });
    buildThemeMenu(menu);
    menu.addSeparator();
    addAction(menu, QStringLiteral("act_view_rail"), tr("&Icons with text"),
              QKeySequence(tr("Ctrl+Shift+L")),
              [this] { m_rail->setShowsText(!m_rail->showsText()); });
    addAction(menu, QStringLiteral("act_view_full_screen"), tr("F&ull screen"),
              QKeySequence(Qt::Key_F11),
              [this] { setWindowState(windowState() ^ Qt::WindowFullScreen); });
}

void MainWindow::buildThemeMenu(QMenu& view) {
    QMenu& menu = *view.addMenu(tr("&Theme"));
    menu.setObjectName(QStringLiteral("view_theme_menu"));
    m_themes = new QActionGroup(this);
    const auto add = [&](const QString& name, const QString& text, ThemeMode mode) {
        QAction* action = addAction(menu, name, text, {}, [this, mode] { m_theme.setMode(mode); });
        action->setCheckable(true);
        m_themes->addAction(action);
    };
    add(QStringLiteral("act_view_theme_system"), tr("Like the &desktop"), ThemeMode::System);
    add(QStringLiteral("act_view_theme_light"), tr("&Light"), ThemeMode::Light);
    add(QStringLiteral("act_view_theme_dark"), tr("D&ark"), ThemeMode::Dark);
}

void MainWindow::buildRunMenu() {
    QMenu& menu = *menuBar()->addMenu(tr("&Run"));
    menu.setObjectName(QStringLiteral("run_menu"));
    addAction(menu, QStringLiteral("act_run_primary"), tr("&Main action of the page"),
              QKeySequence(tr("Ctrl+Return")), [this] { currentPage()->activatePrimary(); });
    addAction(menu, QStringLiteral("act_run_cancel"), tr("Stop &answer, go back"),
              QKeySequence(Qt::Key_Escape), [this] { cancel(); });
    m_stopRun = addAction(menu, QStringLiteral("act_run_stop"), tr("&Stop the run"),
                          QKeySequence(tr("Ctrl+.")), [this] { m_services.runs.stop(); });
    m_stopRun->setEnabled(false);
}

void MainWindow::buildHelpMenu() {
    QMenu& menu = *menuBar()->addMenu(tr("&Help"));
    menu.setObjectName(QStringLiteral("help_menu"));
    addAction(menu, QStringLiteral("act_help_shortcuts"), tr("&Shortcuts"),
              QKeySequence(tr("Ctrl+/")), [this] { showShortcuts(); });
    addAction(menu, QStringLiteral("act_help_about"), tr("&About Espalier"), {},
              [this] { showAbout(); });
}

void MainWindow::showShortcuts() {
    QString rows;
    for (const QAction* action : findChildren<QAction*>(Qt::FindDirectChildrenOnly)) {
        if (action->shortcut().isEmpty()) continue;
        QString text = action->text();
        rows += QStringLiteral("<tr><td>%1&nbsp;&nbsp;&nbsp;</td><td>%2</td></tr>")
                    .arg(action->shortcut().toString(QKeySequence::NativeText).toHtmlEscaped(),
                         text.remove(QLatin1Char('&')).toHtmlEscaped());
    }
    auto* box =
        new QMessageBox(QMessageBox::NoIcon, tr("Shortcuts"),
                        QStringLiteral("<table>%1</table>").arg(rows), QMessageBox::Close, this);
    box->setObjectName(QStringLiteral("dlgShortcuts"));
    box->setAttribute(Qt::WA_DeleteOnClose);
    box->open();
}

void MainWindow::showAbout() {
    auto* box = new QMessageBox(
        QMessageBox::NoIcon, tr("About Espalier"),
        tr("<h3>Espalier %1</h3><p>Shapes Mixture-of-Experts language models until they "
           "fit.</p><p>It sends nothing anywhere. Licence: GPL-3.0-or-later.</p>")
            .arg(QApplication::applicationVersion()),
        QMessageBox::Close, this);
    box->setObjectName(QStringLiteral("dlgAbout"));
    box->setAttribute(Qt::WA_DeleteOnClose);
    box->open();
}

}  // namespace espalier::ui
