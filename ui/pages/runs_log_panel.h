#pragma once

#include <QWidget>
#include <vector>

#include "pipeline/events.h"

class QComboBox;
class QCheckBox;
class QListView;

namespace espalier::ui {

class LogFilter;
class LogModel;

/// What a run says, with a filter by level.
class RunLogPanel : public QWidget {
    Q_OBJECT

public:
    explicit RunLogPanel(QWidget* parent = nullptr);

    void append(const std::vector<LogLine>& lines);
    /// A finished run's log file.
    void setLines(const std::vector<LogLine>& lines);
    void clear();

private:
    LogModel* m_model;
    LogFilter* m_filter;
    QComboBox* m_level;
    QCheckBox* m_follow;
    QListView* m_view;
};

}  // namespace espalier::ui
