#pragma once

#include "ui/bridge/services.h"
#include "ui/widgets/page.h"

class QStackedWidget;
class QTableView;

namespace espalier::ui {

class Banner;
class EmptyState;
class PushButton;
class RunDashboard;
class RunsModel;
struct Failure;
struct RunSummary;

/// The list of runs, and the dashboard of one.
class RunsPage : public Page {
    Q_OBJECT

public:
    explicit RunsPage(const Services& services, QWidget* parent = nullptr);

    void refresh() override;
    void activatePrimary() override;
    bool cancelCurrent() override;
    void openRun(const QString& folder);
    void showList();
    /// Why the run that is shown cannot go on.
    void showFailure(const Failure& failure);

Q_SIGNALS:
    void compressRequested();
    void sampleRequested();
    void inspectRequested(const QString& model, const QString& stats);
    void playRequested(const QString& model);
    void resumeRequested(const QString& folder, int acceptedStages);

protected:
    void arrange(bool isNarrow) override;

private:
    QWidget* makeList();
    void takeRuns(std::vector<RunSummary> runs);
    void updateButtons();
    void openSelected();
    void removeSelected();

    Services m_services;
    RunsModel* m_runs;
    QStackedWidget* m_stack;
    QWidget* m_list;
    EmptyState* m_empty;
    RunDashboard* m_dashboard;
    Banner* m_banner;
    QTableView* m_table;
    PushButton* m_open;
    PushButton* m_remove;
};

}  // namespace espalier::ui
