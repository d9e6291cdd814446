#include "ui/widgets/text_label.h"

#include <QApplication>
#include <QEvent>

#include "ui/theme/colors.h"
#include "ui/theme/metrics.h"

namespace espalier::ui {
namespace {

QFont fontOf(TextKind kind, const QFont& base) {
    switch (kind) {
        case TextKind::Caption:
            return captionFont(base);
        case TextKind::Heading:
            return headingFont(base);
        case TextKind::Title:
            return titleFont(base);
        case TextKind::Fixed:
            return fixedFont(base);
        case TextKind::Body:
        case TextKind::Secondary:
            break;
    }
    return base;
}

bool isSecondary(TextKind kind) { return kind == TextKind::Secondary || kind == TextKind::Caption; }

}  // namespace

TextLabel::TextLabel(TextKind kind, const QString& text, QWidget* parent)
    : QLabel(text, parent), m_kind(kind) {
    setWordWrap(kind != TextKind::Fixed);
    applyTheme();
}

void TextLabel::applyTheme() {
    m_isApplying = true;
    setFont(fontOf(m_kind, QApplication::font()));
    if (isSecondary(m_kind)) {
        QPalette secondary = QApplication::palette();
        secondary.setColor(QPalette::Active, QPalette::WindowText, colors(secondary).text2);
        secondary.setColor(QPalette::Inactive, QPalette::WindowText, colors(secondary).text2);
        setPalette(secondary);
    }
    m_isApplying = false;
}

void TextLabel::changeEvent(QEvent* event) {
    QLabel::changeEvent(event);
    const bool isTheme = event->type() == QEvent::ApplicationFontChange ||
                         event->type() == QEvent::ApplicationPaletteChange ||
                         event->type() == QEvent::PaletteChange ||
                         event->type() == QEvent::FontChange;
    if (isTheme && !m_isApplying) applyTheme();
}

}  // namespace espalier::ui
