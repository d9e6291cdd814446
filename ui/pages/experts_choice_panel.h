#pragma once

#include <QElapsedTimer>
#include <QWidget>

#include "ui/bridge/plan_state.h"

class QCheckBox;
class QComboBox;
class QDoubleSpinBox;
class QSlider;
class QSpinBox;

namespace espalier::ui {

class ExpertSession;
class ExpertsTaskMix;
class TextLabel;
struct Failure;

/// How many experts stay, and by what they are chosen. Whatever moves chooses anew at once.
class ExpertsChoicePanel : public QWidget {
    Q_OBJECT

public:
    explicit ExpertsChoicePanel(ExpertSession& session, QWidget* parent = nullptr);

private:
    void buildLayout();
    QWidget* makeKeepLine();
    QWidget* makeFields();
    QWidget* makeRules();
    void connectControls();
    /// Other statistics: other criteria, other numbers of experts.
    void showData();
    void showCriteria();
    void showPlan();
    void showProblem(const Failure& failure);
    PlanSettings settings() const;
    void choose(int drag = 0);
    void keep(std::int64_t experts);
    int currentDrag();

    ExpertSession& m_session;
    QSlider* m_keep;
    QDoubleSpinBox* m_share;
    TextLabel* m_count;
    QComboBox* m_criterion;
    QComboBox* m_scope;
    QComboBox* m_merge;
    ExpertsTaskMix* m_tasks;
    QCheckBox* m_uniform;
    QCheckBox* m_compensate;
    QSpinBox* m_protect;
    TextLabel* m_problem;
    QElapsedTimer m_sinceMove;
    int m_drag = 0;
};

}  // namespace espalier::ui
