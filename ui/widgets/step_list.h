#pragma once

#include <QListWidget>

namespace espalier::ui {

enum class StepState { Untouched, Done, Problem };

/// The steps of a wizard with a glyph and words for each one's state.
class StepList : public QListWidget {
    Q_OBJECT

public:
    explicit StepList(const QString& name, QWidget* parent = nullptr);

    void addStep(const QString& title);
    void setStepState(int row, StepState state);

protected:
    void changeEvent(QEvent* event) override;

private:
    void showText(int row);
    void fitWidth();
};

}  // namespace espalier::ui
