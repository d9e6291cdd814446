#pragma once

#include "ui/pages/wizard_step.h"

class QGroupBox;
class QSpinBox;
class QTableView;

namespace espalier::ui {

class DataFilesModel;
class Field;
class PushButton;

/// The user's texts: what experts are measured on, and what the two models are compared on.
class WizardDataStep : public WizardStep {
    Q_OBJECT

public:
    explicit WizardDataStep(QWidget* parent = nullptr);

    QString title() const override { return tr("Data"); }
    void showDraft(const CompressDraft& draft) override;
    void writeTo(CompressDraft& draft) const override;
    QString check() override;
    void focusFirst() override;

    void addFiles(const QStringList& paths);

protected:
    void dragEnterEvent(QDragEnterEvent* event) override;
    void dropEvent(QDropEvent* event) override;

private:
    struct Section {
        DataFilesModel* model = nullptr;
        QTableView* table = nullptr;
        Field* field = nullptr;
        PushButton* remove = nullptr;
    };

    void buildLayout();
    QWidget* makeSection(Section& section, const QString& part, const QString& label,
                         const QString& help);
    void removeSelected(const Section& section);
    QString warning() const;

    Section m_calibration;
    Section m_measured;
    QSpinBox* m_tokens;
    Field* m_tokensField;
};

}  // namespace espalier::ui
