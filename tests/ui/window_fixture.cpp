#include "window_fixture.h"

#include <QAbstractButton>
#include <QAccessible>
#include <QApplication>
#include <QDir>
#include <QKeySequence>
#include <QLabel>
#include <QMap>
#include <QMenuBar>
#include <QTabBar>
#include <QTest>
#include <set>

#include "store/database.h"

using namespace espalier::ui;

WindowFixture::WindowFixture() {
    qputenv("ESPALIER_UI_TEST", "1");
    QApplication::setQuitOnLastWindowClosed(false);  // one test's window closes, the next one's not
    // No models but those that a test puts there.
    qputenv("HOME", QFile::encodeName(homeFolder()));
    for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"})
        qunsetenv(name);
    qputenv("ESPALIER_DATA_DIR", QFile::encodeName(dataFolder()));
    qputenv("ESPALIER_CONFIG_DIR", QFile::encodeName(m_folder.path() + QStringLiteral("/config")));
    qputenv("ESPALIER_SAMPLE_DIR", ESPALIER_SAMPLE);
    m_theme = std::make_unique<ThemeController>();
    m_worker = std::make_unique<BackgroundWorker>(espalier::library_path());
    m_runs = std::make_unique<RunController>();
    m_playground = std::make_unique<PlaygroundWorker>();
    m_window = std::make_unique<MainWindow>(Services{*m_worker, *m_runs, *m_playground}, *m_theme);
    m_window->resize(1280, 800);
    m_window->show();
    m_window->activateWindow();
}

void WindowFixture::click(const char* name) { QTest::mouseClick(find(name), Qt::LeftButton); }

void WindowFixture::press(Qt::Key key, Qt::KeyboardModifiers modifiers) {
    QWidget* target = QApplication::focusWidget();
    QTest::keyClick(target == nullptr ? m_window.get() : target, key, modifiers);
}

void WindowFixture::shoot(const QString& name, QWidget* widget) {
    const QString folder = qEnvironmentVariable("ESPALIER_SHOTS");
    if (folder.isEmpty()) return;
    QDir().mkpath(folder);
    // Layouts follow what was shown, hidden or renamed by posted events.
    QCoreApplication::sendPostedEvents();
    (widget == nullptr ? m_window.get() : widget)
        ->grab()
        .save(QStringLiteral("%1/%2.png").arg(folder, name));
}

void WindowFixture::shootBoth(const QString& name, QWidget* widget) {
    const ThemeMode before = m_theme->mode();
    setMode(ThemeMode::Light);
    shoot(name + QStringLiteral("-light"), widget);
    setMode(ThemeMode::Dark);
    shoot(name + QStringLiteral("-dark"), widget);
    setMode(before);
}

void WindowFixture::setMode(ThemeMode mode) {
    m_theme->setMode(mode);
    // Qt hands a new palette to the widgets by a posted event.
    QVERIFY(
        QTest::qWaitFor([this] { return variantOf(m_window->palette()) == m_theme->variant(); }));
}

namespace {

bool takesTab(const QWidget& widget) {
    return widget.isVisible() && widget.isEnabled() && (widget.focusPolicy() & Qt::TabFocus) != 0 &&
           widget.focusProxy() == nullptr;
}

QString describe(const QWidget& widget) {
    return QStringLiteral("%1 \"%2\"")
        .arg(QLatin1String(widget.metaObject()->className()), widget.objectName());
}

/// Everything that Tab reaches, starting from the rail.
std::set<const QWidget*> reachable(QWidget& window) {
    constexpr int kMostSteps = 300;
    std::set<const QWidget*> visited;
    window.findChild<QWidget*>(QStringLiteral("navRail"))->setFocus();
    for (int i = 0; i < kMostSteps; ++i) {
        QWidget* focused = QApplication::focusWidget();
        if (focused == nullptr) break;
        visited.insert(focused);
        QTest::keyClick(focused, Qt::Key_Tab);
    }
    return visited;
}

}  // namespace

QStringList keyboardComplaints(QWidget& window) {
    QStringList complaints;
    QSet<QString> names;
    const std::set<const QWidget*> visited = reachable(window);
    for (const QWidget* widget : window.findChildren<QWidget*>()) {
        if (!takesTab(*widget) || widget->window() != &window) continue;
        if (widget->objectName().isEmpty())
            complaints.append(describe(*widget) + " has no object name");
        if (names.contains(widget->objectName()))
            complaints.append(describe(*widget) + " occurs twice");
        names.insert(widget->objectName());
        const QAccessibleInterface* access =
            QAccessible::queryAccessibleInterface(const_cast<QWidget*>(widget));
        if (access == nullptr || access->text(QAccessible::Name).isEmpty()) {
            complaints.append(describe(*widget) + " has no accessible name");
        }
        if (visited.count(widget) == 0)
            complaints.append(describe(*widget) + " is not reached by Tab");
    }
    return complaints;
}

QStringList mnemonicComplaints(QWidget& window) {
    QStringList complaints;
    QMap<QKeySequence, QString> owners;
    const auto claim = [&](const QString& text) {
        const QKeySequence keys = QKeySequence::mnemonic(text);
        if (keys.isEmpty()) return;
        if (owners.contains(keys)) {
            complaints.append(
                QStringLiteral("%1: %2 and %3").arg(keys.toString(), owners[keys], text));
        }
        owners[keys] = text;
    };
    for (const QMenuBar* bar : window.findChildren<QMenuBar*>()) {
        for (const QAction* action : bar->actions()) claim(action->text());
    }
    for (const QAbstractButton* button : window.findChildren<QAbstractButton*>()) {
        if (button->isVisible()) claim(button->text());
    }
    for (const QLabel* label : window.findChildren<QLabel*>()) {
        if (label->isVisible() && label->buddy() != nullptr) claim(label->text());
    }
    for (const QTabBar* tabs : window.findChildren<QTabBar*>()) {
        for (int i = 0; tabs->isVisible() && i < tabs->count(); ++i) claim(tabs->tabText(i));
    }
    return complaints;
}

QStringList elisionComplaints(QWidget& window) {
    QStringList complaints;
    for (const QLabel* label : window.findChildren<QLabel*>()) {
        if (!label->isVisible() || label->wordWrap() || !label->toolTip().isEmpty()) continue;
        if (label->textFormat() == Qt::RichText || label->text().isEmpty()) continue;
        QString text = label->text();
        const int needed = label->fontMetrics().horizontalAdvance(text.remove(QLatin1Char('&')));
        if (needed > label->contentsRect().width() + 1)
            complaints.append(describe(*label) + ": " + text);
    }
    for (const QAbstractButton* button : window.findChildren<QAbstractButton*>()) {
        if (!button->isVisible() || !button->toolTip().isEmpty()) continue;
        QString text = button->text();
        const int needed = button->fontMetrics().horizontalAdvance(text.remove(QLatin1Char('&')));
        if (needed > button->width()) complaints.append(describe(*button) + ": " + text);
    }
    return complaints;
}
