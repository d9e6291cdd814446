#pragma once

#include <QWidget>
#include <vector>

#include "ui/bridge/plan_state.h"
#include "ui/models/expert_matrix_model.h"
#include "ui/models/plan_matrix.h"

class QBoxLayout;
class QComboBox;
class QSlider;

namespace espalier::ui {

class ExpertSession;
class HeatView;
class PushButton;
class TextLabel;

/// All experts of all layers at once, and edits of them.
class ExpertsMapTab : public QWidget {
    Q_OBJECT

public:
    explicit ExpertsMapTab(ExpertSession& session, QWidget* parent = nullptr);

    HeatView& view() { return *m_view; }
    ExpertMatrixModel& model() { return *m_model; }
    /// What is shown of every expert.
    const LayerScores& scores() const { return m_scores; }
    QString metric() const;
    QString metricName() const;
    void chooseCell(const ExpertCell& cell);
    void arrange(bool isNarrow);

Q_SIGNALS:
    void scoresChanged();
    void currentExpertChanged(const espalier::ui::ExpertCell& cell);
    void expertActivated(const espalier::ui::ExpertCell& cell);

private:
    void buildLayout();
    QComboBox* addCombo(QBoxLayout& line, const QString& name, const QString& label, int letters);
    QWidget* makeControls();
    void connectView();
    void showData();
    void showScores();
    void showPlan();
    void showRefusal(qint64 layer, const QString& text);
    QString describe(const ExpertCell& cell) const;
    static ExpertCells cellsOf(const QList<ExpertCell>& cells);

    ExpertSession& m_session;
    ExpertMatrixModel* m_model;
    LayerScores m_scores;
    QBoxLayout* m_what;   ///< what is shown
    QBoxLayout* m_where;  ///< in which order and size
    QComboBox* m_show;
    bool m_isMetricChosen = false;  ///< by the user, not the first of those that there are
    QComboBox* m_task;
    QComboBox* m_scale;
    QComboBox* m_order;
    QComboBox* m_layers;
    QSlider* m_zoom;
    PushButton* m_fit;
    HeatView* m_view;
    TextLabel* m_note;
};

}  // namespace espalier::ui
