#include "ui/theme/color_scale.h"

#include <algorithm>
#include <cmath>

namespace espalier::ui {

const ColorStops& stopsOf(ColorMap map, const Colors& colors) {
    switch (map) {
        case ColorMap::Cividis:
            return colors.cividis;
        case ColorMap::Diverging:
            return colors.diverging;
        case ColorMap::Viridis:
            break;
    }
    return colors.viridis;
}

QColor colorAt(const ColorStops& stops, double fraction) {
    const double at = std::clamp(fraction, 0.0, 1.0) * static_cast<double>(stops.size() - 1);
    const auto below = std::min(static_cast<std::size_t>(at), stops.size() - 2);
    const double share = at - static_cast<double>(below);
    const QColor& a = stops[below];
    const QColor& b = stops[below + 1];
    const auto between = [share](int x, int y) {
        return static_cast<int>(std::lround(x + share * (y - x)));
    };
    return {between(a.red(), b.red()), between(a.green(), b.green()), between(a.blue(), b.blue())};
}

QColor inkOn(const QColor& ground, const Colors& colors) {
    return contrastRatio(colors.darkInk, ground) >= contrastRatio(colors.lightInk, ground)
               ? colors.darkInk
               : colors.lightInk;
}

ColorScale::ColorScale(ColorMap map, const Colors& colors) {
    const ColorStops& stops = stopsOf(map, colors);
    for (std::size_t i = 0; i < numSteps; ++i) {
        const QColor color = colorAt(stops, static_cast<double>(i) / (numSteps - 1));
        m_colors[i] = color.rgb();
        m_takesDarkInk[i] = inkOn(color, colors) == colors.darkInk;
    }
}

}  // namespace espalier::ui
