#pragma once

#include <QProxyStyle>

namespace espalier::ui {

/// Fusion with outlines of sufficient contrast, flat surfaces and a visible focus ring, all from
/// the table of colours. A push button whose property `primary` is true is filled with the accent
/// colour. Lines of an item view are high enough to be hit, unless its property `dense` is true.
class EspalierStyle : public QProxyStyle {
    Q_OBJECT

public:
    EspalierStyle();

    void drawPrimitive(PrimitiveElement element, const QStyleOption* option, QPainter* painter,
                       const QWidget* widget) const override;
    void drawControl(ControlElement element, const QStyleOption* option, QPainter* painter,
                     const QWidget* widget) const override;
    void drawComplexControl(ComplexControl control, const QStyleOptionComplex* option,
                            QPainter* painter, const QWidget* widget) const override;
    int pixelMetric(PixelMetric metric, const QStyleOption* option,
                    const QWidget* widget) const override;
    int styleHint(StyleHint hint, const QStyleOption* option, const QWidget* widget,
                  QStyleHintReturn* returned) const override;
    QSize sizeFromContents(ContentsType type, const QStyleOption* option, const QSize& contents,
                           const QWidget* widget) const override;
};

}  // namespace espalier::ui
