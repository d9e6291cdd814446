#pragma once

#include <QScrollArea>

namespace espalier::ui {

/// Scrolls its content up and down, and is never narrower than the content can be: large letters
/// make a page longer, not wider than its window.
class VerticalScroll : public QScrollArea {
    Q_OBJECT

public:
    explicit VerticalScroll(QWidget* content, QWidget* parent = nullptr);

    QSize sizeHint() const override;
    QSize minimumSizeHint() const override;

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;
};

}  // namespace espalier::ui
