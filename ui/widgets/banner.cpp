#include "ui/widgets/banner.h"

#include <QAccessible>
#include <QClipboard>
#include <QEvent>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QLabel>
#include <QPainter>
#include <QResizeEvent>

#include "ui/theme/colors.h"
#include "ui/theme/icons.h"
#include "ui/theme/metrics.h"
#include "ui/widgets/icon_button.h"

namespace espalier::ui {
namespace {

constexpr int iconSize = 20;

const BannerColors& bannerColors(BannerKind kind, const Colors& c) {
    switch (kind) {
        case BannerKind::Ok:
            return c.okBanner;
        case BannerKind::Warn:
            return c.warnBanner;
        case BannerKind::Error:
            return c.errBanner;
        case BannerKind::Info:
            break;
    }
    return c.infoBanner;
}

QString iconName(BannerKind kind) {
    switch (kind) {
        case BannerKind::Ok:
            return QStringLiteral("ok");
        case BannerKind::Warn:
            return QStringLiteral("warn");
        case BannerKind::Error:
            return QStringLiteral("error");
        case BannerKind::Info:
            break;
    }
    return QStringLiteral("info");
}

}  // namespace

Banner::Banner(const QString& name, QWidget* parent)
    : QFrame(parent),
      m_icon(new QLabel),
      m_text(new QLabel),
      m_code(new QLabel),
      m_copy(new IconButton(name + QStringLiteral("_copy_btn"), QStringLiteral("copy"),
                            tr("Copy message"))),
      m_buttons(new QHBoxLayout) {
    setObjectName(name);
    m_text->setObjectName(name + QStringLiteral("_label"));
    m_text->setWordWrap(true);
    m_text->setTextInteractionFlags(Qt::TextSelectableByMouse);
    connect(m_copy, &QToolButton::clicked, this,
            [this] { QGuiApplication::clipboard()->setText(text()); });
    auto* layout = new QHBoxLayout(this);
    layout->setContentsMargins(space::groups, space::controls, space::controls, space::controls);
    layout->setSpacing(space::controls);
    layout->addWidget(m_icon);
    layout->addWidget(m_text, 1);
    layout->addWidget(m_code);
    layout->addLayout(m_buttons);
    layout->addWidget(m_copy);
    setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Fixed);
    hide();
}

void Banner::showMessage(BannerKind kind, const QString& text, const QString& code) {
    m_kind = kind;
    m_text->setText(text);
    m_code->setText(code);
    m_code->setVisible(!code.isEmpty());
    applyTheme();
    show();
    QAccessibleEvent event(m_text, QAccessible::Alert);
    QAccessible::updateAccessibility(&event);
}

void Banner::showError(const QString& code, const QString& message, const QString& hint) {
    showMessage(
        BannerKind::Error,
        hint.isEmpty() ? message : tr("%1 %2", "what happened, then what to do").arg(message, hint),
        code);
}

void Banner::dismiss() { hide(); }

void Banner::addButton(QWidget* button) { m_buttons->addWidget(button); }

QString Banner::text() const {
    return m_code->text().isEmpty()
               ? m_text->text()
               : m_text->text() + QStringLiteral(" (") + m_code->text() + QLatin1Char(')');
}

void Banner::applyTheme() {
    const BannerColors& c = bannerColors(m_kind, colors(palette()));
    for (QLabel* label : {m_text, m_code}) {
        QPalette inked = label->palette();
        inked.setColor(QPalette::WindowText, c.text);
        label->setPalette(inked);
    }
    m_code->setFont(captionFont(font()));
    QPalette inked = palette();
    m_icon->setPixmap(themedIcon(iconName(m_kind), inked).pixmap(iconSize));
}

int Banner::heightOfText() const { return layout()->heightForWidth(width()); }

QSize Banner::sizeHint() const { return {QFrame::sizeHint().width(), heightOfText()}; }

QSize Banner::minimumSizeHint() const {
    return {QFrame::minimumSizeHint().width(), heightOfText()};
}

void Banner::resizeEvent(QResizeEvent* event) {
    QFrame::resizeEvent(event);
    if (event->oldSize().width() != event->size().width()) updateGeometry();
}

void Banner::changeEvent(QEvent* event) {
    QFrame::changeEvent(event);
    if (event->type() == QEvent::PaletteChange || event->type() == QEvent::FontChange) applyTheme();
}

void Banner::paintEvent(QPaintEvent*) {
    const BannerColors& c = bannerColors(m_kind, colors(palette()));
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(Qt::NoPen);
    painter.setBrush(c.ground);
    painter.drawRoundedRect(rect(), space::cornerRadius, space::cornerRadius);
}

}  // namespace espalier::ui
