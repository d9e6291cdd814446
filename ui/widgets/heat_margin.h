#pragma once

#include <QWidget>

namespace espalier::ui {

class HeatView;

/// Beside each row of a heat view: a bar of the share of saliency that stays, and "96/128".
class HeatMargin : public QWidget {
    Q_OBJECT

public:
    explicit HeatMargin(HeatView& view, QWidget* parent = nullptr);

    QSize sizeHint() const override;

protected:
    void paintEvent(QPaintEvent* event) override;
    bool event(QEvent* event) override;

private:
    int textWidth() const;
    /// Where a row lies in this widget.
    QRect rowRect(int row) const;
    void paintBar(QPainter& painter, const QRect& row, double share) const;

    HeatView& m_view;
};

}  // namespace espalier::ui
