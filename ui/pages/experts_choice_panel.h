#pragma once

#include <QElapsedTimer>
#include <QWidget>

#include "ui/bridge/plan_state.h"

class QBoxLayout;
class QCheckBox;
class QComboBox;
class QDoubleSpinBox;
class QSlider;
class QSpinBox;

namespace espalier::ui {

class ExpertSession;
class Field;
class TextLabel;
struct Failure;

/// How many experts stay, and by what they are chosen. Whatever moves chooses anew at once.
class ExpertsChoicePanel : public QWidget {
    Q_OBJECT

public:
    explicit ExpertsChoicePanel(ExpertSession& session, QWidget* parent = nullptr);

    void arrange(bool isNarrow);

private:
    void buildLayout();
    QWidget* makeKeepLine();
    void connectControls();
    /// Other statistics: other criteria, other numbers of experts.
    void showData();
    void showPlan();
    void showProblem(const Failure& failure);
    PlanSettings settings() const;
    void choose(int drag = 0);
    void keep(std::int64_t experts);
    int currentDrag();

    ExpertSession& m_session;
    QBoxLayout* m_fields;
    QSlider* m_keep;
    QDoubleSpinBox* m_share;
    TextLabel* m_count;
    QComboBox* m_criterion;
    QComboBox* m_scope;
    QCheckBox* m_uniform;
    QSpinBox* m_protect;
    TextLabel* m_problem;
    QElapsedTimer m_sinceMove;
    int m_drag = 0;
};

}  // namespace espalier::ui
