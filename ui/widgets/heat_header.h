#pragma once

#include <QHeaderView>

namespace espalier::ui {

/// A header of narrow sections: it writes as many labels as fit, at even distances.
class HeatHeader : public QHeaderView {
    Q_OBJECT

public:
    explicit HeatHeader(Qt::Orientation orientation, QWidget* parent = nullptr);

    /// Sections from one label to the next: 1, 2, 4, … so that labels do not touch.
    int labelDistance() const;
    QSize sizeHint() const override;

Q_SIGNALS:
    /// A click on one, or a drag over several. QTableView's own signals are left alone: where
    /// columns run from right to left it looks for the row's first cell beside the view.
    void sectionsChosen(int from, int to, Qt::KeyboardModifiers modifiers);

protected:
    void paintEvent(QPaintEvent* event) override;
    bool event(QEvent* event) override;
    /// QHeaderView would take the edges of sections for handles to resize them by, and narrow
    /// sections are nothing but edges.
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;

private:
    QString label(int section) const;
    /// Extent of the longest label.
    QSize labelSize() const;
    /// The first and the last label stay whole.
    int withinEdges(int section, int middle, int half, int extent) const;
    void paintLabel(QPainter& painter, int section, bool isCurrent) const;
    int sectionUnder(const QMouseEvent& event) const;

    int m_pressed = -1;
    int m_entered = -1;  ///< during a drag
};

}  // namespace espalier::ui
