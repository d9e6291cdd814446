#include "ui/models/log_model.h"

#include <algorithm>

#include "ui/models/roles.h"

namespace espalier::ui {
namespace {

LogLevel levelOf(const std::string& name) {
    if (name == "error" || name == "critical") return LogLevel::Error;
    return name == "warn" || name == "warning" ? LogLevel::Warn : LogLevel::Info;
}

}  // namespace

void LogModel::append(const std::vector<LogLine>& lines) { add(lines, QTime::currentTime()); }

void LogModel::setLines(const std::vector<LogLine>& lines) {
    clear();
    add(lines, {});
}

void LogModel::add(const std::vector<LogLine>& lines, const QTime& time) {
    if (lines.empty()) return;
    const auto skipped = std::max<std::ptrdiff_t>(0, std::ssize(lines) - maxLines);
    const int added = static_cast<int>(std::ssize(lines) - skipped);
    const int surplus = std::max(0, rowCount() + added - maxLines);
    if (surplus > 0) {
        beginRemoveRows({}, 0, surplus - 1);
        m_lines.erase(m_lines.begin(), m_lines.begin() + surplus);
        endRemoveRows();
    }
    beginInsertRows({}, rowCount(), rowCount() + added - 1);
    std::for_each(lines.begin() + skipped, lines.end(), [&](const LogLine& line) {
        m_lines.push_back({time, levelOf(line.level), QString::fromStdString(line.text)});
    });
    endInsertRows();
}

void LogModel::clear() {
    beginResetModel();
    m_lines.clear();
    endResetModel();
}

int LogModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(m_lines.size());
}

QVariant LogModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid)) return {};
    const Line& line = m_lines[static_cast<std::size_t>(index.row())];
    switch (role) {
        case Qt::DisplayRole:
            return display(line);
        case LevelRole:
            return static_cast<int>(line.level);
        case IdRole:
            return QStringLiteral("log:%1").arg(index.row());
        default:
            return {};
    }
}

QString LogModel::display(const Line& line) const {
    if (!line.time.isValid()) return line.text;
    const QString time = line.time.toString(QStringLiteral("HH:mm:ss"));
    switch (line.level) {
        case LogLevel::Warn:
            return tr("%1  warning  %2").arg(time, line.text);
        case LogLevel::Error:
            return tr("%1  error  %2").arg(time, line.text);
        case LogLevel::Info:
            break;
    }
    return QStringLiteral("%1  %2").arg(time, line.text);
}

void LogFilter::setLowestLevel(LogLevel level) {
    m_lowest = level;
    invalidateFilter();
}

bool LogFilter::filterAcceptsRow(int row, const QModelIndex& parent) const {
    const QModelIndex index = sourceModel()->index(row, 0, parent);
    return index.data(LogModel::LevelRole).toInt() >= static_cast<int>(m_lowest);
}

}  // namespace espalier::ui
