#pragma once

#include <QWidget>

class QTableView;

namespace espalier::ui {

class ExpertSession;
class TaskTableModel;
class TextLabel;

/// Which experts carry which task, and how far tasks share them.
class ExpertsTasksTab : public QWidget {
    Q_OBJECT

public:
    explicit ExpertsTasksTab(ExpertSession& session, QWidget* parent = nullptr);

private:
    void buildLayout();
    void showLoads();
    void showChampions();

    ExpertSession& m_session;
    TaskTableModel* m_model;
    QTableView* m_table;
    TextLabel* m_title;
    TextLabel* m_champions;
};

}  // namespace espalier::ui
