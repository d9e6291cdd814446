#pragma once

#include <QTimer>

#include "ui/bridge/expert_session.h"
#include "ui/bridge/run_controller.h"
#include "ui/bridge/services.h"
#include "ui/widgets/page.h"

class QBoxLayout;
class QSplitter;
class QStackedWidget;
class QTabWidget;

namespace espalier::ui {

class Banner;
class EmptyState;
class ExpertsChoicePanel;
class ExpertsCompareTab;
class ExpertsExpertPanel;
class ExpertsExpertTab;
class ExpertsLayerTab;
class ExpertsMapTab;
class ExpertsMeasurePanel;
class ExpertsPlanButton;
class ExpertsSources;
class ExpertsTableTab;
class ExpertsTasksTab;
class PushButton;
class TextLabel;
struct ExpertCell;

/// What the experts of one model do, and which of them should go.
class ExpertsPage : public Page {
    Q_OBJECT

public:
    explicit ExpertsPage(const Services& services, QWidget* parent = nullptr);

    void refresh() override;
    void activatePrimary() override { apply(); }
    bool cancelCurrent() override;
    void save() override;
    /// Shows a model by its newest statistics, or by those named.
    void openModel(const QString& model, const QString& stats = {});
    QUndoStack& history() { return m_session.history(); }
    ExpertSession& session() { return m_session; }

Q_SIGNALS:
    void runStarted(const QString& folder);

protected:
    void arrange(bool isNarrow) override;
    void hideEvent(QHideEvent* event) override;

private:
    void buildLayout();
    QWidget* makeHead();
    void makeBanners();
    QWidget* makeBody();
    void makeTabs();
    void fitTabs();
    void connectTabs();
    QWidget* makeSide();
    void connectSession();
    void showLoading();
    void showData();
    void showCost();
    void showExpert(const ExpertCell& cell);
    void showScores();
    void collect();
    void takeRunState(JobState state);
    void apply();
    void exportPicture();
    void exportTable();
    void write(const QString& path, const QByteArray& bytes);
    void showFailure(const Failure& failure);

    Services m_services;
    ExpertSession m_session;
    QTimer m_busyTimer;
    QString m_collecting;  ///< folder of the run that this page has started
    ExpertsSources* m_sources;
    ExpertsPlanButton* m_plan;
    PushButton* m_apply;
    Banner* m_banner;
    Banner* m_none;
    Banner* m_other;
    TextLabel* m_busy;
    QStackedWidget* m_stack;
    EmptyState* m_empty;
    QBoxLayout* m_deciding;
    QSplitter* m_columns;
    QWidget* m_side;
    QTabWidget* m_tabs;
    ExpertsMapTab* m_map;
    ExpertsLayerTab* m_layer;
    ExpertsExpertTab* m_expertTab;
    ExpertsTasksTab* m_tasks;
    ExpertsCompareTab* m_compare;
    ExpertsTableTab* m_table;
    ExpertsChoicePanel* m_choice;
    ExpertsMeasurePanel* m_measure;
    ExpertsExpertPanel* m_expert;
};

}  // namespace espalier::ui
