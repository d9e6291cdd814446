#pragma once

#include <QFont>

class QWidget;

namespace espalier::ui {

/// The 4-pixel grid.
namespace space {
inline constexpr int inGroup = 4;
inline constexpr int controls = 8;
inline constexpr int groups = 16;
inline constexpr int pageMargin = 16;
inline constexpr int sections = 24;
inline constexpr int controlHeight = 28;
inline constexpr int focusRing = 2;
inline constexpr int cornerRadius = 4;
}  // namespace space

/// The type scale, relative to the application's font.
QFont captionFont(const QFont& base);
QFont headingFont(const QFont& base);
QFont titleFont(const QFont& base);
QFont bigNumberFont(const QFont& base);
/// For code, tokens, ids and hashes, at the size of `base`.
QFont fixedFont(const QFont& base);

/// True if `page` has no room for columns beside its main one, with the letters that it has: what
/// stood beside goes below.
bool isNarrow(const QWidget& page);

}  // namespace espalier::ui
