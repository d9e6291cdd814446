#pragma once

#include <QTimer>

#include "ui/bridge/compress_draft.h"
#include "ui/bridge/cost_estimate.h"
#include "ui/widgets/card.h"

namespace espalier::ui {

class BackgroundWorker;
class InfoView;
class TextLabel;

/// What the draft will cost, asked anew a moment after each change.
class WizardCostPanel : public Card {
    Q_OBJECT

public:
    explicit WizardCostPanel(BackgroundWorker& worker, QWidget* parent = nullptr);

    void setDraft(const CompressDraft& draft);

private:
    void ask();
    void showCost(const CostEstimate& cost);
    void showNote(const QString& note);

    BackgroundWorker& m_worker;
    CompressDraft m_draft;
    InfoView* m_rows;
    TextLabel* m_note;
    QTimer m_timer;
};

}  // namespace espalier::ui
