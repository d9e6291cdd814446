#include "ui/theme/icons.h"

#include <QApplication>
#include <QFile>
#include <QPainter>
#include <QPixmap>
#include <QStyle>
#include <QSvgRenderer>

#include "ui/theme/colors.h"

namespace espalier::ui {
namespace {

QPixmap drawn(const QByteArray& svg, const QColor& color, int pixels) {
    QByteArray tinted = svg;
    tinted.replace("currentColor", color.name().toLatin1());
    QSvgRenderer renderer(tinted);
    if (!renderer.isValid()) return {};
    QPixmap pixmap(pixels, pixels);
    pixmap.fill(Qt::transparent);
    QPainter painter(&pixmap);
    renderer.render(&painter);
    return pixmap;
}

}  // namespace

QIcon themedIcon(const QString& name, const QPalette& palette) {
    QFile file(QStringLiteral(":/icons/%1.svg").arg(name));
    if (!file.open(QIODevice::ReadOnly)) {
        return QApplication::style()->standardIcon(QStyle::SP_FileIcon);
    }
    const QByteArray svg = file.readAll();
    const Colors& c = colors(palette);
    QIcon icon;
    for (const int pixels : {16, 20, 24, 32, 40, 48}) {
        icon.addPixmap(drawn(svg, c.text, pixels), QIcon::Normal);
        icon.addPixmap(drawn(svg, c.disabled, pixels), QIcon::Disabled);
    }
    return icon;
}

}  // namespace espalier::ui
