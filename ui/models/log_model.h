#pragma once

#include <QAbstractListModel>
#include <QSortFilterProxyModel>
#include <QTime>
#include <deque>
#include <vector>

#include "pipeline/events.h"

namespace espalier::ui {

enum class LogLevel { Info, Warn, Error };

/// What a run said. The view keeps the newest lines; the file is complete.
class LogModel : public QAbstractListModel {
    Q_OBJECT

public:
    static constexpr int maxLines = 10'000;
    enum Role { LevelRole = Qt::UserRole + 2 };

    using QAbstractListModel::QAbstractListModel;

    /// Stamped with the time of now.
    void append(const std::vector<LogLine>& lines);
    /// Lines of a log file, which carry their own time.
    void setLines(const std::vector<LogLine>& lines);
    void clear();

    int rowCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;

private:
    struct Line {
        QTime time;
        LogLevel level = LogLevel::Info;
        QString text;
    };

    void add(const std::vector<LogLine>& lines, const QTime& time);
    QString display(const Line& line) const;

    std::deque<Line> m_lines;
};

/// Lines of a level and those that are worse.
class LogFilter : public QSortFilterProxyModel {
    Q_OBJECT

public:
    using QSortFilterProxyModel::QSortFilterProxyModel;

    void setLowestLevel(LogLevel level);

protected:
    bool filterAcceptsRow(int row, const QModelIndex& parent) const override;

private:
    LogLevel m_lowest = LogLevel::Info;
};

}  // namespace espalier::ui
