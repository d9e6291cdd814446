#pragma once

#include <optional>

#include "ui/bridge/failure.h"
#include "ui/bridge/services.h"
#include "ui/pages/wizard_step.h"

class QComboBox;
class QLineEdit;

namespace espalier::ui {

class Banner;
class Field;
class InfoView;
class TextLabel;

/// Which model, and what the result is called.
class WizardModelStep : public WizardStep {
    Q_OBJECT

public:
    explicit WizardModelStep(const Services& services, QWidget* parent = nullptr);

    QString title() const override { return tr("Model"); }
    void showDraft(const CompressDraft& draft) override;
    void writeTo(CompressDraft& draft) const override;
    QString check() override;
    void focusFirst() override;

    void clear();
    /// Fills the list again from the library.
    void refresh();
    bool isReading() const { return m_isReading; }

Q_SIGNALS:
    void modelRead(const espalier::ui::ModelInfo& model);

private:
    void buildLayout();
    void browseFolder();
    void browseFile();
    void choose(const QString& path);
    void showModel(const ModelInfo& model);
    void showFailure(const Failure& failure);

    Services m_services;
    QComboBox* m_pick;
    Field* m_pickField;
    Banner* m_banner;
    InfoView* m_info;
    TextLabel* m_busy;
    QLineEdit* m_name;
    Field* m_nameField;
    QString m_path;
    std::optional<ModelInfo> m_model;
    bool m_isReading = false;
};

}  // namespace espalier::ui
