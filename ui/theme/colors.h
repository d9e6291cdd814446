#pragma once

#include <QColor>
#include <QPalette>
#include <array>
#include <vector>

namespace espalier::ui {

enum class Variant { Light, Dark };

/// A banner's text and ground.
struct BannerColors {
    QColor text;
    QColor ground;
};

/// How a series is drawn, so that colour is never the only difference.
struct SeriesStyle {
    QColor color;
    Qt::PenStyle dash = Qt::SolidLine;
};

inline constexpr std::size_t numSeries = 6;
/// A series keeps its colour for its meaning everywhere.
enum class SeriesMeaning : std::size_t {
    Compressed = 0,
    Limit = 1,
    Routing = 2,
    Other = 3,
    Original = 4
};

/// Colours at equal distances along a scale; between them they change evenly.
using ColorStops = std::vector<QColor>;

/// Every colour of the window. There is no colour literal outside this table.
struct Colors {
    QColor bg, surface, raised, text, text2, disabled, border, accent, onAccent, ok, warn, err;
    BannerColors infoBanner, okBanner, warnBanner, errBanner;
    std::array<SeriesStyle, numSeries> series;
    ColorStops viridis, cividis;  ///< sequential, dark = low in both themes
    ColorStops diverging;         ///< brown = less, blue = more
    QColor darkInk, lightInk;     ///< for what stands on a colour of a scale

    const SeriesStyle& seriesFor(SeriesMeaning meaning) const {
        return series[static_cast<std::size_t>(meaning)];
    }
};

const Colors& colors(Variant variant);
/// The palette carries the theme: widgets ask for `colors(palette())` whenever they paint.
Variant variantOf(const QPalette& palette);
const Colors& colors(const QPalette& palette);

/// For Fusion.
QPalette makePalette(Variant variant);

/// WCAG 2 contrast of two opaque colours, 1 to 21.
double contrastRatio(const QColor& a, const QColor& b);

}  // namespace espalier::ui
