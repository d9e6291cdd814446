#pragma once

#include "ui/pages/wizard_step.h"

class QPlainTextEdit;

namespace espalier::ui {

class Banner;
class InfoView;
class PushButton;

/// The recipe as sentences, as JSON and as a command.
class WizardReviewStep : public WizardStep {
    Q_OBJECT

public:
    explicit WizardReviewStep(QWidget* parent = nullptr);

    QString title() const override { return tr("Review"); }
    void showDraft(const CompressDraft& draft) override;
    void writeTo(CompressDraft&) const override {}
    void focusFirst() override;

    /// What stands in the way of starting; empty = nothing.
    void setProblem(const QString& problem);
    void showFailure(const QString& code, const QString& message, const QString& hint);

Q_SIGNALS:
    void commandRequested();

private:
    InfoView* m_summary;
    Banner* m_banner;
    PushButton* m_command;
    PushButton* m_json;
    QPlainTextEdit* m_recipe;
};

}  // namespace espalier::ui
