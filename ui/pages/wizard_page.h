#pragma once

#include <QTimer>
#include <vector>

#include "ui/bridge/compress_draft.h"
#include "ui/bridge/failure.h"
#include "ui/bridge/model_info.h"
#include "ui/bridge/services.h"
#include "ui/widgets/page.h"

class QHBoxLayout;
class QStackedWidget;
class QVBoxLayout;

namespace espalier::ui {

class PushButton;
class StepList;
class TextLabel;
class VerticalScroll;
class WizardCostPanel;
class WizardDataStep;
class WizardGoalStep;
class WizardModelStep;
class WizardReviewStep;
class WizardStep;

/// From a model to a started run in four steps, any of which can be visited at any time. The draft
/// is a recipe file, saved half a second after each change.
class WizardPage : public Page {
    Q_OBJECT

public:
    explicit WizardPage(const Services& services, QWidget* parent = nullptr);

    void refresh() override;
    void activatePrimary() override;
    void createNew() override { discard(); }

    void openModel(const QString& path);
    void openRecipe(const QString& path);
    void addData(const QStringList& paths);
    /// Fills in the bundled sample and shows the review.
    void openSample();

Q_SIGNALS:
    void runStarted(const QString& folder);

protected:
    void arrange(bool isNarrow) override;

private:
    void buildLayout();
    QWidget* makeHeader();
    QWidget* makeNavigation();
    void addStep(WizardStep* step);
    void goTo(int step);
    void takeChange();
    void setDraft(const CompressDraft& draft);
    void loadDraft();
    void saveDraft();
    void discard();
    void next();
    void start();
    void copyCommand();
    /// Index of the first step with a problem, or -1. Marks the steps.
    int firstProblem();
    void updateTitle();

    Services m_services;
    CompressDraft m_draft;
    ModelInfo m_model;
    std::vector<WizardStep*> m_steps;
    std::vector<bool> m_visited;
    WizardModelStep* m_modelStep;
    WizardGoalStep* m_goalStep;
    WizardDataStep* m_dataStep;
    WizardReviewStep* m_reviewStep;
    StepList* m_list;
    QStackedWidget* m_stack;
    TextLabel* m_title;
    TextLabel* m_saved;
    WizardCostPanel* m_cost;
    VerticalScroll* m_costScroll;
    QHBoxLayout* m_columns;
    QVBoxLayout* m_left;
    PushButton* m_back;
    PushButton* m_next;
    PushButton* m_start;
    QTimer m_saveTimer;
    bool m_isNamed = false;  ///< by the user; else the name follows the choices
    bool m_isLoaded = false;
};

}  // namespace espalier::ui
