#pragma once

#include <QFont>
#include <QObject>
#include <QVariant>

#include "ui/theme/colors.h"

class QDBusVariant;

namespace espalier::ui {

enum class ThemeMode { System, Light, Dark };

/// Gives the application its style, palette and text size, and follows the desktop: the XDG portal
/// where there is one, else the lightness of the palette that the platform set. When it goes, the
/// application has the font and palette of the desktop again, so that the next one starts from
/// them.
class ThemeController : public QObject {
    Q_OBJECT

public:
    explicit ThemeController(QObject* parent = nullptr);
    ~ThemeController() override;

    ThemeMode mode() const { return m_mode; }
    Variant variant() const;
    int textPercent() const { return m_textPercent; }

    void setMode(ThemeMode mode);
    /// 80 to 200 % of the desktop's font, in steps of ten.
    void setTextPercent(int percent);

Q_SIGNALS:
    void modeChanged(ThemeMode mode);
    void textPercentChanged(int percent);

private Q_SLOTS:
    void takePortalSetting(const QString& group, const QString& key, const QDBusVariant& value);

private:
    void askPortal();
    void takeColorScheme(const QVariant& value);
    void apply();

    QFont m_desktopFont;
    Variant m_system;
    ThemeMode m_mode = ThemeMode::System;
    int m_textPercent = 100;
};

}  // namespace espalier::ui
