#pragma once

#include <QString>
#include <QTemporaryDir>
#include <memory>

#include "ui/bridge/background_worker.h"
#include "ui/bridge/playground_worker.h"
#include "ui/bridge/run_controller.h"
#include "ui/theme/theme_controller.h"
#include "ui/window/main_window.h"

/// The whole window on an empty library in a temporary folder.
class WindowFixture {
public:
    WindowFixture();

    espalier::ui::MainWindow& window() { return *m_window; }
    espalier::ui::ThemeController& theme() { return *m_theme; }
    espalier::ui::RunController& runs() { return *m_runs; }
    espalier::ui::PlaygroundWorker& playground() { return *m_playground; }
    QString homeFolder() const { return m_folder.path() + QStringLiteral("/home"); }
    QString dataFolder() const { return m_folder.path() + QStringLiteral("/data"); }

    /// The widget of that name. @throws std::runtime_error if there is none
    template <typename Widget = QWidget>
    Widget* find(const char* name) {
        auto* found = m_window->findChild<Widget*>(QLatin1String(name));
        if (found == nullptr) throw std::runtime_error(std::string("no widget ") + name);
        return found;
    }

    void click(const char* name);
    void press(Qt::Key key, Qt::KeyboardModifiers modifiers = Qt::NoModifier);
    /// Saves `<name>.png` of a widget, or of the whole window, in ESPALIER_SHOTS, if that is set.
    void shoot(const QString& name, QWidget* widget = nullptr);
    /// The same in light and in dark.
    void shootBoth(const QString& name, QWidget* widget = nullptr);

private:
    void setMode(espalier::ui::ThemeMode mode);

    QTemporaryDir m_folder;
    std::unique_ptr<espalier::ui::ThemeController> m_theme;
    std::unique_ptr<espalier::ui::BackgroundWorker> m_worker;
    std::unique_ptr<espalier::ui::RunController> m_runs;
    std::unique_ptr<espalier::ui::PlaygroundWorker> m_playground;
    std::unique_ptr<espalier::ui::MainWindow> m_window;
};

/// Complaints about what can be reached by Tab on the shown page: no object name, one that occurs
/// twice, no accessible name, or a control that Tab does not reach. Empty = all well.
QStringList keyboardComplaints(QWidget& window);
/// Letters that two visible controls of the window, menus included, both answer to with Alt.
QStringList mnemonicComplaints(QWidget& window);
/// Labels and buttons whose text does not fit and that have no tooltip.
QStringList elisionComplaints(QWidget& window);
