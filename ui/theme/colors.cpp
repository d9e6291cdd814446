#include "ui/theme/colors.h"

#include <algorithm>
#include <cmath>

namespace espalier::ui {
namespace {

const ColorStops viridis{0x440154, 0x472D7B, 0x3B528B, 0x2C728E, 0x21918C,
                         0x28AE80, 0x5EC962, 0xADDC30, 0xFDE725};
const ColorStops cividis{0x00204D, 0x00336F, 0x39486B, 0x575C6D, 0x707173,
                         0x8A8779, 0xA69D75, 0xC4B56C, 0xE4CF5B, 0xFFEA46};

const Colors lightColors{
    .bg = 0xFAFAF8,
    .surface = 0xFFFFFF,
    .raised = 0xF1F1EE,
    .text = 0x1B1D1F,
    .text2 = 0x54595F,
    .disabled = 0x8A8F95,
    .border = 0x82878E,
    .accent = 0x1F5FA8,
    .onAccent = 0xFFFFFF,
    .ok = 0x1E6B3C,
    .warn = 0x8A5300,
    .err = 0xB3261E,
    .infoBanner = {0x0B4F8A, 0xD6E6F5},
    .okBanner = {0x155232, 0xD9F0E1},
    .warnBanner = {0x6B4000, 0xFBEBCF},
    .errBanner = {0x8C1D18, 0xFBE3E1},
    .series = {{{0x0067A5, Qt::SolidLine},
                {0xB35C00, Qt::DashLine},
                {0x007A57, Qt::DotLine},
                {0x8E4B8A, Qt::DashDotLine},
                {0x5A5F66, Qt::DashDotDotLine},
                {0x6B6A00, Qt::SolidLine}}},
    .viridis = viridis,
    .cividis = cividis,
    .diverging = {0x543005, 0x8C510A, 0xBF812D, 0xDFC27D, 0xF5F5F5, 0x92C5DE, 0x4393C3, 0x2166AC,
                  0x053061},
    .darkInk = Qt::black,
    .lightInk = Qt::white,
};

const Colors darkColors{
    .bg = 0x1A1C1E,
    .surface = 0x222528,
    .raised = 0x2B2F33,
    .text = 0xECEDEE,
    .text2 = 0xB4B9BF,
    .disabled = 0x7C8288,
    .border = 0x7D848B,
    .accent = 0x7DB7F2,
    .onAccent = 0x0E1B28,
    .ok = 0x7CCB95,
    .warn = 0xF0B45C,
    .err = 0xF2968F,
    .infoBanner = {0xCFE4FA, 0x173450},
    .okBanner = {0xC9EFD6, 0x17392A},
    .warnBanner = {0xFBE3B8, 0x453008},
    .errBanner = {0xFBD5D2, 0x4A1B19},
    .series = {{{0x6DB6F2, Qt::SolidLine},
                {0xF2A65A, Qt::DashLine},
                {0x4FC79A, Qt::DotLine},
                {0xD79AD3, Qt::DashDotLine},
                {0xB4B9BF, Qt::DashDotDotLine},
                {0xD5CE6B, Qt::SolidLine}}},
    .viridis = viridis,
    .cividis = cividis,
    .diverging = {0xFFD08A, 0xF0A23E, 0xB86F16, 0x6E4310, 0x2B2F33, 0x1F4A75, 0x2F78B7, 0x69ABE5,
                  0xB5D9FF},
    .darkInk = Qt::black,
    .lightInk = Qt::white,
};

double linear(double channel) {
    return channel <= 0.04045 ? channel / 12.92 : std::pow((channel + 0.055) / 1.055, 2.4);
}

double relativeLuminance(const QColor& color) {
    return 0.2126 * linear(color.redF()) + 0.7152 * linear(color.greenF()) +
           0.0722 * linear(color.blueF());
}

void setBoth(QPalette& palette, QPalette::ColorRole role, const QColor& color,
             const QColor& disabled) {
    palette.setColor(QPalette::Active, role, color);
    palette.setColor(QPalette::Inactive, role, color);
    palette.setColor(QPalette::Disabled, role, disabled);
}

}  // namespace

const Colors& colors(Variant variant) {
    return variant == Variant::Dark ? darkColors : lightColors;
}

Variant variantOf(const QPalette& palette) {
    return palette.color(QPalette::Window).lightness() < 128 ? Variant::Dark : Variant::Light;
}

const Colors& colors(const QPalette& palette) { return colors(variantOf(palette)); }

QPalette makePalette(Variant variant) {
    const Colors& c = colors(variant);
    QPalette palette(c.text, c.raised, c.surface, c.border, c.border, c.text, c.text, c.surface,
                     c.bg);
    setBoth(palette, QPalette::WindowText, c.text, c.disabled);
    setBoth(palette, QPalette::Text, c.text, c.disabled);
    setBoth(palette, QPalette::ButtonText, c.text, c.disabled);
    setBoth(palette, QPalette::AlternateBase, c.raised, c.raised);
    setBoth(palette, QPalette::PlaceholderText, c.text2, c.disabled);
    setBoth(palette, QPalette::Highlight, c.accent, c.border);
    setBoth(palette, QPalette::HighlightedText, c.onAccent, c.surface);
    setBoth(palette, QPalette::Link, c.accent, c.disabled);
    setBoth(palette, QPalette::LinkVisited, c.accent, c.disabled);
    setBoth(palette, QPalette::ToolTipBase, c.raised, c.raised);
    setBoth(palette, QPalette::ToolTipText, c.text, c.disabled);
    setBoth(palette, QPalette::BrightText, c.onAccent, c.onAccent);
    return palette;
}

double contrastRatio(const QColor& a, const QColor& b) {
    const double first = relativeLuminance(a);
    const double second = relativeLuminance(b);
    return (std::max(first, second) + 0.05) / (std::min(first, second) + 0.05);
}

}  // namespace espalier::ui
