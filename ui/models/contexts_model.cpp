#include "ui/models/contexts_model.h"

#include <QLocale>
#include <utility>

#include "ui/models/roles.h"

namespace espalier::ui {
namespace {

/// In one line: what breaks it becomes a sign for it.
QString oneLine(const std::string& text) {
    QString line = QString::fromStdString(text);
    line.replace(QLatin1String("\r\n"), QLatin1String("\n"));
    line.replace(QLatin1Char('\n'), QStringLiteral("↵"));
    line.replace(QLatin1Char('\r'), QStringLiteral("↵"));
    return line.replace(QLatin1Char('\t'), QStringLiteral("⇥"));
}

}  // namespace

void ContextsModel::setContexts(std::vector<TopContext> contexts, QStringList tasks) {
    if (contexts == m_contexts && tasks == m_tasks) return;
    beginResetModel();
    m_contexts = std::move(contexts);
    m_tasks = std::move(tasks);
    endResetModel();
}

void ContextsModel::setShowsText(bool shows) {
    if (shows == m_showsText) return;
    m_showsText = shows;
    if (rowCount() > 0) Q_EMIT dataChanged(index(0, Text), index(rowCount() - 1, Text));
}

int ContextsModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(m_contexts.size());
}

int ContextsModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : ColumnCount;
}

QString ContextsModel::place(const TopContext& context) const {
    return tr("window %1, token %2").arg(context.window + 1).arg(context.position + 1);
}

QString ContextsModel::text(const TopContext& context) const {
    if (!m_showsText || context.text.empty()) return place(context);
    // Brackets, so that the mark is there without a colour.
    return QStringLiteral("%1⟦%2⟧%3")
        .arg(oneLine(context.before), oneLine(context.text), oneLine(context.after));
}

QVariant ContextsModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid)) return {};
    const TopContext& context = m_contexts[static_cast<std::size_t>(index.row())];
    const bool isGate = index.column() == Gate;
    switch (role) {
        case Qt::DisplayRole:
            if (isGate) return QLocale().toString(context.gate, 'f', 2);
            return index.column() == Text ? text(context) : m_tasks.value(context.task);
        case Qt::EditRole:
            return isGate ? QVariant(context.gate) : data(index, Qt::DisplayRole);
        case Qt::ToolTipRole:
            return index.column() == Text ? place(context) : QVariant();
        case Qt::TextAlignmentRole:
            return QVariant((isGate ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter);
        case BeforeRole:
            return m_showsText ? oneLine(context.before) : QString();
        case TokenRole:
            return m_showsText ? oneLine(context.text) : QString();
        case AfterRole:
            return m_showsText ? oneLine(context.after) : QString();
        case IdRole:
            return QStringLiteral("token:%1").arg(context.row);
        default:
            return {};
    }
}

QVariant ContextsModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal) return {};
    if (role == Qt::TextAlignmentRole)
        return QVariant((section == Gate ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter);
    if (role != Qt::DisplayRole) return {};
    switch (section) {
        case Text:
            return tr("Token in its text");
        case Gate:
            return tr("Gate");
        case Task:
            return tr("Task");
        default:
            return {};
    }
}

}  // namespace espalier::ui
