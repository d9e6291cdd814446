#include "ui/theme/theme_controller.h"

#include <QApplication>
#include <QDBusConnection>
#include <QDBusMessage>
#include <QDBusPendingCallWatcher>
#include <QDBusPendingReply>
#include <QDBusVariant>
#include <algorithm>

#include "ui/theme/espalier_style.h"

namespace espalier::ui {
namespace {

const QString portalService = QStringLiteral("org.freedesktop.portal.Desktop");
const QString portalPath = QStringLiteral("/org/freedesktop/portal/desktop");
const QString settingsInterface = QStringLiteral("org.freedesktop.portal.Settings");
const QString appearance = QStringLiteral("org.freedesktop.appearance");
const QString colorScheme = QStringLiteral("color-scheme");

}  // namespace

ThemeController::ThemeController(QObject* parent)
    : QObject(parent),
      m_desktopFont(QApplication::font()),
      m_system(variantOf(QApplication::palette())) {
    QApplication::setStyle(new EspalierStyle);  // the application takes it
    apply();
    askPortal();
}

ThemeController::~ThemeController() {
    QApplication::setPalette({});
    QApplication::setFont(m_desktopFont);
}

Variant ThemeController::variant() const {
    switch (m_mode) {
        case ThemeMode::Light:
            return Variant::Light;
        case ThemeMode::Dark:
            return Variant::Dark;
        case ThemeMode::System:
            break;
    }
    return m_system;
}

void ThemeController::setMode(ThemeMode mode) {
    if (mode == m_mode) return;
    m_mode = mode;
    apply();
    Q_EMIT modeChanged(mode);
}

void ThemeController::setTextPercent(int percent) {
    percent = std::clamp(percent, 80, 200);
    if (percent == m_textPercent) return;
    m_textPercent = percent;
    apply();
    Q_EMIT textPercentChanged(percent);
}

void ThemeController::askPortal() {
    QDBusConnection bus = QDBusConnection::sessionBus();
    if (!bus.isConnected()) return;
    bus.connect(portalService, portalPath, settingsInterface, QStringLiteral("SettingChanged"),
                this, SLOT(takePortalSetting(QString, QString, QDBusVariant)));
    QDBusMessage call = QDBusMessage::createMethodCall(portalService, portalPath, settingsInterface,
                                                       QStringLiteral("Read"));
    call << appearance << colorScheme;
    auto* watcher = new QDBusPendingCallWatcher(bus.asyncCall(call), this);
    connect(watcher, &QDBusPendingCallWatcher::finished, this, [this, watcher] {
        const QDBusPendingReply<QDBusVariant> reply = *watcher;
        if (reply.isValid()) takeColorScheme(reply.value().variant());
        watcher->deleteLater();
    });
}

void ThemeController::takePortalSetting(const QString& group, const QString& key,
                                        const QDBusVariant& value) {
    if (group == appearance && key == colorScheme) takeColorScheme(value.variant());
}

void ThemeController::takeColorScheme(const QVariant& value) {
    // The method `Read` wraps its answer in one more variant than the signal does.
    const QVariant inner =
        value.canConvert<QDBusVariant>() ? value.value<QDBusVariant>().variant() : value;
    const uint scheme = inner.toUInt();
    if (scheme != 1 && scheme != 2) return;  // no preference
    m_system = scheme == 1 ? Variant::Dark : Variant::Light;
    apply();
}

void ThemeController::apply() {
    QApplication::setPalette(makePalette(variant()));
    QFont font = m_desktopFont;
    if (font.pointSizeF() > 0) font.setPointSizeF(font.pointSizeF() * m_textPercent / 100.0);
    QApplication::setFont(font);
}

}  // namespace espalier::ui
