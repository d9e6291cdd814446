#pragma once

#include <QTimer>

#include "ui/bridge/inspector_runs.h"
#include "ui/pages/experts_run_sheet.h"

class QCheckBox;
class QSpinBox;
class QTableView;

namespace espalier::ui {

class DataFilesModel;
class Field;
class InfoView;

/// Asks for the texts on which experts are measured and says beforehand what that costs.
class ExpertsCollectSheet : public ExpertsRunSheet {
    Q_OBJECT

public:
    ExpertsCollectSheet(const Services& services, const QString& model, QWidget* parent);

protected:
    bool isReady() override;
    std::function<RunRequest()> makeRun() const override;
    std::function<QString()> makeCommand() const override;

private:
    void buildLayout();
    QWidget* makeTexts();
    CollectDraft draft() const;
    void estimate();

    QString m_model;
    DataFilesModel* m_texts;
    QTableView* m_table;
    Field* m_textsField;
    QSpinBox* m_tokens;
    QCheckBox* m_all;
    QCheckBox* m_early;
    QCheckBox* m_own;
    InfoView* m_cost;
    QTimer m_timer;
};

}  // namespace espalier::ui
