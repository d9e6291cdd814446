#include "ui/widgets/text_label.h"

#include <QApplication>
#include <QEvent>
#include <QPainter>
#include <QStyle>

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

TextLabel* TextLabel::asElided() {
    m_isElided = true;
    setWordWrap(false);
    setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    return this;
}

void TextLabel::paintEvent(QPaintEvent* event) {
    if (!m_isElided) {
        QLabel::paintEvent(event);
        return;
    }
    const QString line = fontMetrics().elidedText(text(), Qt::ElideMiddle, contentsRect().width());
    showTip(line != text());
    QPainter painter(this);
    style()->drawItemText(&painter, contentsRect(), static_cast<int>(alignment()), palette(),
                          isEnabled(), line, foregroundRole());
}

void TextLabel::showTip(bool isCut) {
    if (isCut && (m_hasOwnTip || toolTip().isEmpty())) {
        m_hasOwnTip = true;
        if (toolTip() != text()) setToolTip(text());
    } else if (!isCut && m_hasOwnTip) {
        m_hasOwnTip = false;
        setToolTip({});
    }
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
    const bool isTheme =
        event->type() == QEvent::PaletteChange || event->type() == QEvent::FontChange;
    if (isTheme && !m_isApplying) applyTheme();
}

// A widget with a font or palette of its own hears nothing when that of the application changes:
// its parent does.
bool TextLabel::event(QEvent* event) {
    if (event->type() == QEvent::ParentAboutToChange && parentWidget() != nullptr) {
        parentWidget()->removeEventFilter(this);
    } else if (event->type() == QEvent::ParentChange && parentWidget() != nullptr) {
        parentWidget()->installEventFilter(this);
    }
    return QLabel::event(event);
}

bool TextLabel::eventFilter(QObject* watched, QEvent* event) {
    const bool isTheme =
        event->type() == QEvent::PaletteChange || event->type() == QEvent::FontChange;
    if (isTheme && watched == parentWidget()) applyTheme();
    return QLabel::eventFilter(watched, event);
}

}  // namespace espalier::ui
