#include "ui/models/runs_model.h"

#include <QLocale>
#include <algorithm>
#include <utility>

#include "ui/bridge/compress_draft.h"
#include "ui/models/format.h"
#include "ui/models/roles.h"

namespace espalier::ui {

void RunsModel::setRuns(std::vector<RunSummary> runs) {
    if (runs == m_runs) return;
    Q_EMIT layoutAboutToBeChanged();
    const QModelIndexList before = persistentIndexList();
    QModelIndexList after;
    for (const QModelIndex& index : before) {
        const QString path = run(index.row()).path;
        const auto found =
            std::find_if(runs.begin(), runs.end(), [&](const auto& r) { return r.path == path; });
        after.append(found == runs.end()
                         ? QModelIndex()
                         : createIndex(static_cast<int>(found - runs.begin()), index.column()));
    }
    m_runs = std::move(runs);
    changePersistentIndexList(before, after);
    Q_EMIT layoutChanged();
}

int RunsModel::rowOf(const QString& path) const {
    const auto found = std::find_if(m_runs.begin(), m_runs.end(),
                                    [&](const auto& run) { return run.path == path; });
    return found == m_runs.end() ? -1 : static_cast<int>(found - m_runs.begin());
}

int RunsModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(m_runs.size());
}

int RunsModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : ColumnCount;
}

QVariant RunsModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid)) return {};
    const RunSummary& summary = run(index.row());
    switch (role) {
        case Qt::DisplayRole:
            return text(summary, index.column());
        case Qt::ToolTipRole:
            return summary.folderExists ? summary.path
                                        : tr("%1 is not there any more.").arg(summary.path);
        case Qt::TextAlignmentRole:
            return index.column() == Result || index.column() == Took
                       ? QVariant(Qt::AlignRight | Qt::AlignVCenter)
                       : QVariant(Qt::AlignLeft | Qt::AlignVCenter);
        case IdRole:
            return QStringLiteral("run:%1").arg(summary.path);
        default:
            return {};
    }
}

QVariant RunsModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal) return {};
    if (role == Qt::TextAlignmentRole) {
        return section == Result || section == Took ? QVariant(Qt::AlignRight | Qt::AlignVCenter)
                                                    : QVariant(Qt::AlignLeft | Qt::AlignVCenter);
    }
    if (role != Qt::DisplayRole) return {};
    switch (section) {
        case Name:
            return tr("Name");
        case Model:
            return tr("Model");
        case State:
            return tr("State");
        case Result:
            return tr("Result");
        case Started:
            return tr("Started");
        case Took:
            return tr("Took");
        default:
            return {};
    }
}

QString RunsModel::text(const RunSummary& run, int column) const {
    switch (column) {
        case Name:
            return run.name;
        case Model:
            return modelName(run.model);
        case State:
            return format::runState(run.state);
        case Result:
            return run.resultBytes > 0 ? format::fileSize(run.resultBytes) : QStringLiteral("–");
        case Started:
            return QLocale().toString(run.started, QLocale::ShortFormat);
        case Took:
            return timeTaken(run);
        default:
            return {};
    }
}

QString RunsModel::timeTaken(const RunSummary& run) const {
    if (!run.started.isValid() || !run.ended.isValid()) return QStringLiteral("–");
    return format::duration(static_cast<double>(run.started.secsTo(run.ended)));
}

}  // namespace espalier::ui
