#pragma once

#include <QWidget>
#include <vector>

#include "ui/bridge/run_controller.h"
#include "ui/bridge/run_summary.h"
#include "ui/bridge/services.h"
#include "ui/models/run_progress.h"
#include "ui/widgets/stage_line.h"

class QProgressBar;
class QSplitter;
class QTableView;

namespace espalier::ui {

class Banner;
class InfoView;
class MetricsModel;
class PushButton;
class RunLayerCharts;
class RunLogPanel;
class RunRoutingPanel;
class RoundsChart;
class TextLabel;
struct Failure;

/// One run: its stages, what it measured, what it says. Follows it live while it is under way.
class RunDashboard : public QWidget {
    Q_OBJECT

public:
    explicit RunDashboard(const Services& services, QWidget* parent = nullptr);

    void open(const QString& folder);
    void arrange(bool isNarrow);
    /// Why the run that is shown cannot go on.
    void showFailure(const Failure& failure);

Q_SIGNALS:
    void listRequested();
    void inspectRequested(const QString& model, const QString& stats);
    void playRequested(const QString& model);
    /// @param acceptedStages of so many first stages a failed routing is accepted
    void resumeRequested(const QString& folder, int acceptedStages);
    void loaded();

private:
    void buildLayout();
    void showRun(const QString& folder);
    QWidget* makeHeader();
    QWidget* makeProgress();
    QWidget* makeSide();
    void load();
    void showDetails(const RunDetails& details);
    void showFinishedStages(const RunDetails& details);
    void showHold(const RunDetails& details);
    void showRounds(const std::vector<Json>& rounds);
    void take(const std::vector<RunEvent>& events);
    void takeEvent(const RunEvent& event);
    void finish(const RunFinished& end);
    void setState(const QString& state);
    void showNow();
    void showStages();
    bool isLive() const;

    Services m_services;
    QString m_folder;
    RunSummary m_summary;
    QString m_stats;  ///< that a stage of this run has left; empty = none yet
    std::vector<StageMark> m_stages;
    qlonglong m_failedLayer = 0;  ///< whose routing fails
    RunProgress m_run;
    std::vector<LogLine> m_lines;

    QSplitter* m_upper;
    TextLabel* m_title;
    TextLabel* m_state;
    Banner* m_banner;
    StageLine* m_stageLine;
    QProgressBar* m_bar;
    TextLabel* m_progress;
    RunLayerCharts* m_charts;
    RoundsChart* m_rounds;
    RunRoutingPanel* m_routing;
    RunLogPanel* m_log;
    InfoView* m_facts;
    MetricsModel* m_metrics;
    QTableView* m_metricsTable;
    TextLabel* m_noMetrics;
    PushButton* m_stop;
    PushButton* m_resume;
    PushButton* m_look;
    PushButton* m_accept;
    PushButton* m_play;
    PushButton* m_inspect;
    PushButton* m_openFolder;
};

}  // namespace espalier::ui
