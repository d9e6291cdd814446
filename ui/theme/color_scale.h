#pragma once

#include <array>

#include "ui/theme/colors.h"

namespace espalier::ui {

enum class ColorMap { Viridis, Cividis, Diverging };

const ColorStops& stopsOf(ColorMap map, const Colors& colors);
/// @param fraction 0 to 1, limited to it
QColor colorAt(const ColorStops& stops, double fraction);
/// Black or white, whichever stands out more.
QColor inkOn(const QColor& ground, const Colors& colors);

/// The colours of a scale, ready for painting many cells.
class ColorScale {
public:
    ColorScale(ColorMap map, const Colors& colors);

    QRgb color(float fraction) const { return m_colors[step(fraction)]; }
    /// True if dark ink stands out more on that colour.
    bool takesDarkInk(float fraction) const { return m_takesDarkInk[step(fraction)]; }

private:
    static constexpr std::size_t numSteps = 257;  ///< odd, so that zero has its own
    static std::size_t step(float fraction) {
        return static_cast<std::size_t>(fraction * (numSteps - 1) + 0.5F);
    }

    std::array<QRgb, numSteps> m_colors;
    std::array<bool, numSteps> m_takesDarkInk;
};

}  // namespace espalier::ui
