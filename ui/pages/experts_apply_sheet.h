#pragma once

#include <map>
#include <string>
#include <vector>

#include "prune/write_pruned.h"
#include "ui/bridge/inspector_runs.h"
#include "ui/bridge/plan_edits.h"
#include "ui/pages/experts_run_sheet.h"

class QCheckBox;
class QLineEdit;
class QRadioButton;

namespace espalier::ui {

class ExpertSession;
class InfoView;
class TextLabel;
struct InfoRow;

/// Tells what a plan removes and what formats can hold of it, and starts the run that removes it.
class ExpertsApplySheet : public ExpertsRunSheet {
    Q_OBJECT

public:
    ExpertsApplySheet(const Services& services, const ExpertSession& session, QWidget* parent);

protected:
    bool isReady() override;
    std::function<RunRequest()> makeRun() const override;
    std::function<QString()> makeCommand() const override;

private:
    void buildLayout();
    QWidget* makeFormats();
    QRadioButton* addFormat(const char* part, const QString& text, QWidget& box);
    /// The plan as it would be written; the refusal of cutDown(), if that is what it comes to.
    EditResult chosenPlan() const;
    PruneFormat format() const;
    void showPlan();
    void showMass(const std::map<std::string, double>& taskMass, std::vector<InfoRow>& rows);
    ApplyDraft draft() const;

    const ExpertSession& m_session;
    LayerScores m_scores;
    InfoView* m_rows;
    TextLabel* m_formatText;
    QWidget* m_formats;
    QRadioButton* m_fill;
    QRadioButton* m_cut;
    QRadioButton* m_native;
    TextLabel* m_nativeText;
    QCheckBox* m_accept;
    QLineEdit* m_name;
};

}  // namespace espalier::ui
