#pragma once

#include <QWidget>
#include <vector>

#include "ui/bridge/expert_data.h"
#include "ui/bridge/plan_state.h"
#include "ui/bridge/services.h"
#include "ui/bridge/stats_sources.h"
#include "ui/models/expert_matrix_model.h"

class QComboBox;

namespace espalier::ui {

class ExpertSession;
class HeatView;
class TextLabel;
struct Failure;

/// The map minus another: other statistics of the model, or another plan.
class ExpertsCompareTab : public QWidget {
    Q_OBJECT

public:
    ExpertsCompareTab(const Services& services, ExpertSession& session, QWidget* parent = nullptr);

    void showScores(const LayerScores& scores, const QString& metric, const QString& name);
    /// What there is to compare with.
    void setSources(const std::vector<StatsSource>& sources);
    /// The statistics at hand minus those of that file.
    void compareWithStats(const QString& path);
    void compareWithPlan(const QString& path);

Q_SIGNALS:
    void compared();
    void failed(const espalier::ui::Failure& failure);

private:
    enum class Kind { Nothing, Stats, Plan };

    void buildLayout();
    void fill();
    void takeChoice();
    void chooseFile();
    void showDifference();
    void showMatrix(const LayerScores& difference, const QString& name);
    LayerScores statsDifference() const;
    LayerScores planDifference() const;

    Services m_services;
    ExpertSession& m_session;
    LayerScores m_scores;
    QString m_metric;
    QString m_name;
    std::vector<StatsSource> m_sources;
    Kind m_kind = Kind::Nothing;
    ExpertDataPtr m_other;
    PlanState m_otherPlan;
    QString m_otherName;
    ExpertMatrixModel* m_model;
    QComboBox* m_with;
    TextLabel* m_text;
    HeatView* m_view;
};

}  // namespace espalier::ui
