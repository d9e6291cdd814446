#pragma once

#include <QImage>
#include <QWidget>

namespace espalier::ui {

class HeatView;

/// All columns of a wide heat view in one strip, with a frame around those in view: pressing or
/// dragging moves it. The view scrolls by keys as well, so this takes no focus.
class HeatOverview : public QWidget {
    Q_OBJECT

public:
    /// Up to here the view itself gives the overview.
    static constexpr int mostColumnsWithout = 200;

    explicit HeatOverview(HeatView& view, QWidget* parent = nullptr);

    QSize sizeHint() const override;
    /// The frame around what is in view, in pixels.
    QRect frame() const;

protected:
    void paintEvent(QPaintEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void changeEvent(QEvent* event) override;

private:
    void forgetImage();
    void showWhenWide();
    void moveTo(double x);

    HeatView& m_view;
    QImage m_image;
};

}  // namespace espalier::ui
