#pragma once

#include <QFrame>

namespace espalier::ui {

/// A surface with an outline that groups what belongs together.
class Card : public QFrame {
    Q_OBJECT

public:
    explicit Card(QWidget* parent = nullptr);

protected:
    void paintEvent(QPaintEvent* event) override;
};

}  // namespace espalier::ui
