#include "ui/models/data_files_model.h"

#include <QFileInfo>
#include <QLocale>
#include <algorithm>
#include <utility>

#include "ui/models/format.h"
#include "ui/models/roles.h"

namespace espalier::ui {
namespace {

constexpr double maxWeight = 1000;

bool isNumber(int column) {
    return column == DataFilesModel::Weight || column == DataFilesModel::Size;
}

QVariant alignment(int column) {
    return isNumber(column) ? QVariant(Qt::AlignRight | Qt::AlignVCenter)
                            : QVariant(Qt::AlignLeft | Qt::AlignVCenter);
}

}  // namespace

qint64 DataFilesModel::sizeOf(const DataSource& source) {
    return QFileInfo(QString::fromStdString(source.path.string())).size();
}

void DataFilesModel::setSources(std::vector<DataSource> sources) {
    beginResetModel();
    m_sources = std::move(sources);
    m_bytes.clear();
    for (const DataSource& source : m_sources) m_bytes.push_back(sizeOf(source));
    endResetModel();
    Q_EMIT sourcesChanged();
}

void DataFilesModel::addFile(const QString& path) {
    const std::filesystem::path file = path.toStdString();
    const auto same = [&](const DataSource& source) { return source.path == file; };
    if (std::any_of(m_sources.begin(), m_sources.end(), same)) return;
    const int row = static_cast<int>(m_sources.size());
    beginInsertRows({}, row, row);
    m_sources.push_back({file, file.stem().string(), 1.0});
    m_bytes.push_back(sizeOf(m_sources.back()));
    endInsertRows();
    Q_EMIT sourcesChanged();
}

void DataFilesModel::removeFile(int row) {
    if (row < 0 || row >= rowCount()) return;
    beginRemoveRows({}, row, row);
    m_sources.erase(m_sources.begin() + row);
    m_bytes.erase(m_bytes.begin() + row);
    endRemoveRows();
    Q_EMIT sourcesChanged();
}

int DataFilesModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(m_sources.size());
}

int DataFilesModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : ColumnCount;
}

QVariant DataFilesModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid)) return {};
    const auto row = static_cast<std::size_t>(index.row());
    const DataSource& source = m_sources[row];
    const QString path = QString::fromStdString(source.path.string());
    switch (role) {
        case Qt::DisplayRole:
        case Qt::EditRole:
            if (index.column() == Size)
                return format::fileSize(static_cast<std::uint64_t>(m_bytes[row]));
            return text(source, index.column(), role == Qt::EditRole);
        case Qt::ToolTipRole:
            return path;
        case Qt::TextAlignmentRole:
            return alignment(index.column());
        case IdRole:
            return QStringLiteral("data:%1").arg(path);
        default:
            return {};
    }
}

QVariant DataFilesModel::text(const DataSource& source, int column, bool forEditing) const {
    switch (column) {
        case File:
            return QString::fromStdString(source.path.filename().string());
        case Task:
            return QString::fromStdString(source.task);
        case Weight:
            return forEditing ? QVariant(source.weight)
                              : QVariant(QLocale().toString(source.weight));
        default:
            return {};
    }
}

bool DataFilesModel::setData(const QModelIndex& index, const QVariant& value, int role) {
    if (role != Qt::EditRole || !checkIndex(index, CheckIndexOption::IndexIsValid)) return false;
    DataSource& source = m_sources[static_cast<std::size_t>(index.row())];
    if (index.column() == Task) {
        const QString task = value.toString().trimmed();
        if (task.isEmpty()) return false;
        source.task = task.toStdString();
    } else if (index.column() == Weight) {
        bool isValid = false;
        const double weight = value.toDouble(&isValid);
        if (!isValid || weight <= 0 || weight > maxWeight) return false;
        source.weight = weight;
    } else {
        return false;
    }
    Q_EMIT dataChanged(index, index);
    Q_EMIT sourcesChanged();
    return true;
}

QVariant DataFilesModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal) return {};
    if (role == Qt::TextAlignmentRole) return alignment(section);
    if (role != Qt::DisplayRole) return {};
    switch (section) {
        case File:
            return tr("File");
        case Task:
            return tr("Task");
        case Weight:
            return tr("Weight");
        case Size:
            return tr("Size");
        default:
            return {};
    }
}

Qt::ItemFlags DataFilesModel::flags(const QModelIndex& index) const {
    Qt::ItemFlags flags = QAbstractTableModel::flags(index);
    if (index.column() == Task || index.column() == Weight) flags |= Qt::ItemIsEditable;
    return flags;
}

}  // namespace espalier::ui
