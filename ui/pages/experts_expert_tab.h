#pragma once

#include <QWidget>

#include "ui/models/expert_facts.h"

class QBoxLayout;
class QSpinBox;
class QTableView;

namespace espalier::ui {

class ContextsModel;
class ExpertSession;
class GateHistogram;
class InfoView;
class PushButton;
class RelatedExpertsModel;
class TaskChart;

/// One expert as closely as the statistics go.
class ExpertsExpertTab : public QWidget {
    Q_OBJECT

public:
    explicit ExpertsExpertTab(ExpertSession& session, QWidget* parent = nullptr);

    void showExpert(const ExpertFacts& facts);
    void arrange(bool isNarrow);

Q_SIGNALS:
    /// Another one was asked for here.
    void expertChosen(const espalier::ui::ExpertCell& cell);

protected:
    void showEvent(QShowEvent* event) override;

private:
    void buildLayout();
    QWidget* makeChoice();
    void showData();
    void choose();
    void showRows();
    void showTasks();
    void showPartners();
    QTableView* makePartners();

    ExpertSession& m_session;
    ExpertFacts m_facts;
    QBoxLayout* m_columns;
    QBoxLayout* m_lists;
    QSpinBox* m_layer;
    QSpinBox* m_expert;
    GateHistogram* m_gates;
    TaskChart* m_tasks;
    InfoView* m_rows;
    PushButton* m_show;
    RelatedExpertsModel* m_partners;
    ContextsModel* m_contexts;
    QTableView* m_texts;
};

}  // namespace espalier::ui
