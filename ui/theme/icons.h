#pragma once

#include <QIcon>

class QPalette;

namespace espalier::ui {

/// An icon of resources/icons, drawn in the text colour of `palette` (disabled and selected states
/// too). Made again when the palette changes. Never empty: without the SVG plug-in a standard icon
/// stands in.
QIcon themedIcon(const QString& name, const QPalette& palette);

}  // namespace espalier::ui
