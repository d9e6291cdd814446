#pragma once

#include <QDialog>

#include "ui/bridge/inspector_runs.h"
#include "ui/bridge/plan_edits.h"
#include "ui/bridge/services.h"

class QCheckBox;
class QLineEdit;
class QRadioButton;

namespace espalier::ui {

class Banner;
class ExpertSession;
class InfoView;
class TextLabel;
struct Failure;

/// Tells what a plan removes and what formats can hold of it, and starts the run that removes it.
class ExpertsApplySheet : public QDialog {
    Q_OBJECT

public:
    ExpertsApplySheet(const Services& services, const ExpertSession& session, QWidget* parent);

Q_SIGNALS:
    void started(const QString& folder);

private:
    void buildLayout();
    QWidget* makeUniform();
    QLayout* makeButtons();
    /// The plan as it would be written; the refusal of cutDown(), if that is what it comes to.
    EditResult chosenPlan() const;
    void showPlan();
    bool isReady();
    ApplyDraft draft() const;
    void start();
    void copyCommand();
    void showFailure(const Failure& failure);

    Services m_services;
    const ExpertSession& m_session;
    LayerScores m_scores;
    InfoView* m_rows;
    TextLabel* m_uniformText;
    QWidget* m_uniform;
    QRadioButton* m_fill;
    QRadioButton* m_cut;
    QCheckBox* m_accept;
    QLineEdit* m_name;
    Banner* m_banner;
};

}  // namespace espalier::ui
