#pragma once

#include "ui/bridge/services.h"
#include "ui/widgets/page.h"

class QBoxLayout;
class QTableView;
class QVBoxLayout;

namespace espalier::ui {

class Banner;
class DropArea;
class InfoView;
class PushButton;
class RunsModel;
struct MachineInfo;
struct RunSummary;

/// Three sentences on what can be done, what was done lately, and what this computer has.
class StartPage : public Page {
    Q_OBJECT

public:
    explicit StartPage(const Services& services, QWidget* parent = nullptr);

    void refresh() override;
    void activatePrimary() override { Q_EMIT compressRequested(); }

Q_SIGNALS:
    void compressRequested();
    void inspectRequested();
    void playRequested();
    void sampleRequested();
    void runOpened(const QString& folder);
    void resumeRequested(const QString& folder);
    void filesDropped(const QStringList& paths);

protected:
    void dragEnterEvent(QDragEnterEvent* event) override;
    void dropEvent(QDropEvent* event) override;
    void arrange(bool isNarrow) override;

private:
    void buildLayout();
    QWidget* makeWays();
    QWidget* makeRecent();
    QWidget* makeComputer();
    void showRuns(std::vector<RunSummary> runs);
    void showMachine(const MachineInfo& machine);
    void updateButtons();
    const RunSummary* selectedRun() const;
    void openSelected();
    void resumeSelected();
    void removeSelected();

    Services m_services;
    RunsModel* m_runs;
    Banner* m_recoverBanner;
    PushButton* m_recover;
    QTableView* m_table;
    QWidget* m_recentEmpty;
    PushButton* m_open;
    PushButton* m_resume;
    PushButton* m_remove;
    InfoView* m_machine;
    QVBoxLayout* m_column;
    QBoxLayout* m_ways;
    QBoxLayout* m_columns;
    DropArea* m_drop;
    QString m_interrupted;
};

}  // namespace espalier::ui
