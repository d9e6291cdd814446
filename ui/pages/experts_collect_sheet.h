#pragma once

#include <QDialog>
#include <QTimer>

#include "ui/bridge/inspector_runs.h"
#include "ui/bridge/services.h"

class QCheckBox;
class QSpinBox;
class QTableView;

namespace espalier::ui {

class Banner;
class DataFilesModel;
class Field;
class InfoView;
struct Failure;

/// Asks for the texts on which experts are measured and says beforehand what that costs.
class ExpertsCollectSheet : public QDialog {
    Q_OBJECT

public:
    ExpertsCollectSheet(const Services& services, const QString& model, QWidget* parent);

Q_SIGNALS:
    void started(const QString& folder);

private:
    void buildLayout();
    QWidget* makeTexts();
    QLayout* makeButtons();
    CollectDraft draft() const;
    void estimate();
    void start();
    void copyCommand();
    bool hasTexts();
    void showFailure(const Failure& failure);

    Services m_services;
    QString m_model;
    DataFilesModel* m_texts;
    QTableView* m_table;
    Field* m_textsField;
    QSpinBox* m_tokens;
    QCheckBox* m_all;
    InfoView* m_cost;
    Banner* m_banner;
    QTimer m_timer;
};

}  // namespace espalier::ui
