#pragma once

#include <optional>

#include "ui/bridge/compress_draft.h"
#include "ui/pages/wizard_step.h"

class QComboBox;
class QSlider;
class QSpinBox;

namespace espalier::ui {

class Field;

/// How many experts stay, how they are scored, and in how many bits the rest is stored.
class WizardGoalStep : public WizardStep {
    Q_OBJECT

public:
    explicit WizardGoalStep(QWidget* parent = nullptr);

    QString title() const override { return tr("Goal"); }
    void showDraft(const CompressDraft& draft) override;
    void writeTo(CompressDraft& draft) const override;
    void setModel(const ModelInfo& model) override;
    QString check() override;
    void focusFirst() override;

private:
    void buildLayout();
    QWidget* makeKeep();
    void fillChoices();
    void showWanted();
    void takePreset();
    void takeCriterion();
    void showPreset();
    void describe();

    QSlider* m_slider;
    QSpinBox* m_experts;
    Field* m_keepField;
    QComboBox* m_preset;
    Field* m_presetField;
    QComboBox* m_criterion;
    Field* m_criterionField;
    QSpinBox* m_search;
    Field* m_searchField;
    QComboBox* m_fileType;
    Field* m_fileTypeField;
    QString m_stats;  ///< as in the draft
    std::optional<ModelInfo> m_model;
    std::int64_t m_wanted = CompressDraft::undecided;  ///< as in the draft
};

}  // namespace espalier::ui
