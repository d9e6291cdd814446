#pragma once

#include <QWidget>
#include <optional>
#include <utility>

#include "ui/theme/color_scale.h"

namespace espalier::ui {

/// The colours of a scale from low to high, with marks of where the cuts lie.
class HeatGradient : public QWidget {
    Q_OBJECT

public:
    using QWidget::QWidget;

    void setColorMap(ColorMap map);
    /// From and to, 0 to 1 of the scale; one mark where both are the same.
    void setCut(std::optional<std::pair<double, double>> cut);
    std::optional<std::pair<double, double>> cut() const { return m_cut; }
    QSize sizeHint() const override;
    QSize minimumSizeHint() const override;

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    ColorMap m_map = ColorMap::Viridis;
    std::optional<std::pair<double, double>> m_cut;
};

}  // namespace espalier::ui
