#pragma once

#include <QtGlobal>
#include <qnamespace.h>

namespace espalier::ui {

/// A stable string by which a row is found without reading its text, such as "run:/path".
inline constexpr int IdRole = Qt::UserRole + 1;

}  // namespace espalier::ui
