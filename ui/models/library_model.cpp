#include "ui/models/library_model.h"

#include <QFileInfo>
#include <QMimeData>
#include <QUrl>
#include <algorithm>

#include "ui/models/library_text.h"
#include "ui/models/roles.h"

namespace espalier::ui {

struct LibraryModel::Node {
    ModelEntry entry;
    std::optional<FitSum> fit;
    Node* parent = nullptr;
    std::vector<std::unique_ptr<Node>> children;

    int row() const {
        const auto& among = parent->children;
        const auto found = std::find_if(among.begin(), among.end(),
                                        [this](const auto& node) { return node.get() == this; });
        return static_cast<int>(found - among.begin());
    }
    bool isBelow(const Node& other) const {
        for (const Node* node = this; node != nullptr; node = node->parent) {
            if (node == &other) return true;
        }
        return false;
    }
};

LibraryModel::LibraryModel(QObject* parent)
    : QAbstractItemModel(parent), m_root(std::make_unique<Node>()) {}

LibraryModel::~LibraryModel() = default;

LibraryModel::Node* LibraryModel::nodeOf(const QModelIndex& index) const {
    return index.isValid() ? static_cast<Node*>(index.internalPointer()) : m_root.get();
}

QModelIndex LibraryModel::indexOf(const Node* node, int column) const {
    if (node == m_root.get()) return {};
    return createIndex(node->row(), column, const_cast<Node*>(node));
}

const ModelEntry& LibraryModel::entry(const QModelIndex& index) const {
    return nodeOf(index)->entry;
}

std::optional<FitSum> LibraryModel::fit(const QModelIndex& index) const {
    return nodeOf(index)->fit;
}

QModelIndex LibraryModel::find(const QString& path) const {
    const Node* node = m_nodes.value(path);
    return node == nullptr ? QModelIndex() : indexOf(node);
}

void LibraryModel::put(const std::vector<ModelEntry>& entries) {
    for (const ModelEntry& entry : entries) putOne(entry);
    group();
}

void LibraryModel::putOne(const ModelEntry& entry) {
    const auto fitting = [&] {
        return entry.facts && entry.gap == ModelGap::None && entry.facts->tensorBytes > 0
                   ? std::optional(fitOf(entry, m_tokens, m_machine))
                   : std::nullopt;
    };
    if (Node* node = m_nodes.value(entry.path)) {
        if (node->entry == entry) return;
        node->entry = entry;
        node->fit = fitting();
        Q_EMIT dataChanged(indexOf(node, 0), indexOf(node, ColumnCount - 1));
        return;
    }
    const int row = static_cast<int>(m_root->children.size());
    auto node = std::make_unique<Node>();
    node->entry = entry;
    node->fit = fitting();
    node->parent = m_root.get();
    beginInsertRows({}, row, row);
    m_nodes[entry.path] = node.get();
    m_root->children.push_back(std::move(node));
    endInsertRows();
}

namespace {

bool isSameShape(const ModelEntry& a, const ModelEntry& b) {
    return a.facts && b.facts && a.facts->family == b.facts->family &&
           a.facts->layers == b.facts->layers && a.facts->hiddenSize == b.facts->hiddenSize;
}

/// A model in a hub cache is called after its revision by whoever was made from it.
bool isCalled(const ModelEntry& entry, const QString& name) {
    const QFileInfo file(entry.path);
    return entry.name == name || file.fileName() == name || file.completeBaseName() == name;
}

}  // namespace

/// The run says it, or the model itself: by the hash of its origin, else by name and shape.
LibraryModel::Node* LibraryModel::originOf(const Node& node) const {
    if (!node.entry.parentPath.isEmpty()) return m_nodes.value(node.entry.parentPath);
    if (!node.entry.facts || node.entry.facts->baseName.isEmpty()) return nullptr;
    const ModelFacts& facts = *node.entry.facts;
    Node* byName = nullptr;
    for (Node* other : m_nodes) {
        if (other == &node) continue;
        if (!other->entry.hash.isEmpty() && other->entry.hash == facts.baseHash) return other;
        const bool isOriginal = other->entry.facts && other->entry.facts->baseName.isEmpty();
        // The first by path, so that the answer does not hang on the order in a hash.
        if (isOriginal && isSameShape(other->entry, node.entry) &&
            isCalled(other->entry, facts.baseName) &&
            (byName == nullptr || other->entry.path < byName->entry.path)) {
            byName = other;
        }
    }
    return byName;
}

void LibraryModel::group() {
    for (Node* node : std::as_const(m_nodes)) {
        Node* parent = originOf(*node);
        if (parent == nullptr) parent = m_root.get();
        if (parent != node->parent && !parent->isBelow(*node)) moveBelow(*node, *parent);
    }
}

void LibraryModel::moveBelow(Node& node, Node& parent) {
    Node& before = *node.parent;
    const int row = node.row();
    const int end = static_cast<int>(parent.children.size());
    beginMoveRows(indexOf(&before), row, row, indexOf(&parent), end);
    auto moved = std::move(before.children[static_cast<std::size_t>(row)]);
    before.children.erase(before.children.begin() + row);
    moved->parent = &parent;
    parent.children.push_back(std::move(moved));
    endMoveRows();
    if (end == 0 && &parent != m_root.get()) Q_EMIT gotChildren(indexOf(&parent));
}

void LibraryModel::remove(Node& node) {
    while (!node.children.empty()) moveBelow(*node.children.back(), *m_root);
    Node& parent = *node.parent;
    const int row = node.row();
    beginRemoveRows(indexOf(&parent), row, row);
    m_nodes.remove(node.entry.path);
    parent.children.erase(parent.children.begin() + row);
    endRemoveRows();
}

void LibraryModel::keepOnly(const QSet<QString>& paths) {
    const QStringList all = m_nodes.keys();
    for (const QString& path : all) {
        if (!paths.contains(path)) remove(*m_nodes.value(path));
    }
    group();
}

void LibraryModel::setMachine(const MachineInfo& machine) {
    m_machine = machine;
    updateFits();
}

void LibraryModel::setContext(qint64 tokens) {
    m_tokens = tokens;
    updateFits();
}

void LibraryModel::updateFits() {
    for (Node* node : std::as_const(m_nodes)) {
        if (!node->fit) continue;
        const FitSum fit = fitOf(node->entry, m_tokens, m_machine);
        if (*node->fit == fit) continue;
        node->fit = fit;
        Q_EMIT dataChanged(indexOf(node, Fits), indexOf(node, Fits));
    }
}

QModelIndex LibraryModel::index(int row, int column, const QModelIndex& parent) const {
    if (!hasIndex(row, column, parent)) return {};
    return createIndex(row, column, nodeOf(parent)->children[static_cast<std::size_t>(row)].get());
}

QModelIndex LibraryModel::parent(const QModelIndex& child) const {
    return child.isValid() ? indexOf(nodeOf(child)->parent) : QModelIndex();
}

int LibraryModel::rowCount(const QModelIndex& parent) const {
    return parent.column() > 0 ? 0 : static_cast<int>(nodeOf(parent)->children.size());
}

int LibraryModel::columnCount(const QModelIndex& /*parent*/) const { return ColumnCount; }

QVariant LibraryModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid)) return {};
    const Node& node = *nodeOf(index);
    const RowView row{node.entry, node.fit, m_tokens};
    switch (role) {
        case Qt::DisplayRole:
            return cellText(row, index.column());
        case Qt::EditRole:
            return sortKey(node, index.column());
        case Qt::ToolTipRole:
            return cellTip(row, index.column());
        case Qt::AccessibleTextRole:
            return cellSpoken(row, index.column());
        case Qt::TextAlignmentRole:
            return isNumberColumn(index.column()) ? QVariant(Qt::AlignRight | Qt::AlignVCenter)
                                                  : QVariant(Qt::AlignLeft | Qt::AlignVCenter);
        case IdRole:
            return QStringLiteral("model:%1").arg(node.entry.path);
        case IsDimRole:
            return !node.entry.canCompress() && node.entry.obstacle() != Obstacle::NotRead;
        default:
            return {};
    }
}

QVariant LibraryModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal) return {};
    if (role == Qt::TextAlignmentRole) {
        return isNumberColumn(section) ? QVariant(Qt::AlignRight | Qt::AlignVCenter)
                                       : QVariant(Qt::AlignLeft | Qt::AlignVCenter);
    }
    if (role == Qt::ToolTipRole) return headerTip(section);
    return role == Qt::DisplayRole ? headerText(section) : QVariant();
}

QVariant LibraryModel::sortKey(const Node& node, int column) const {
    const ModelFacts facts = node.entry.facts.value_or(ModelFacts());
    switch (column) {
        case Parameters:
            return QVariant::fromValue<qulonglong>(facts.parameters);
        case Experts:
            return QVariant::fromValue<qlonglong>(facts.experts * facts.routedLayers);
        case Size:
            return QVariant::fromValue<qulonglong>(node.entry.bytes);
        case Fits:
            return node.fit ? QVariant::fromValue<qulonglong>(node.fit->total)
                            : QVariant::fromValue<qulonglong>(~0ULL);
        case Used:
            return -node.entry.usedUnix;  // the latest first
        default:
            return cellText({node.entry, node.fit, m_tokens}, column);
    }
}

Qt::ItemFlags LibraryModel::flags(const QModelIndex& index) const {
    const Qt::ItemFlags flags = QAbstractItemModel::flags(index);
    return index.isValid() && nodeOf(index)->entry.gap != ModelGap::Gone
               ? flags | Qt::ItemIsDragEnabled
               : flags;
}

QMimeData* LibraryModel::mimeData(const QModelIndexList& indexes) const {
    QList<QUrl> urls;
    for (const QModelIndex& index : indexes) {
        if (index.column() == Name) urls.append(QUrl::fromLocalFile(entry(index).path));
    }
    auto* mime = new QMimeData;
    mime->setUrls(urls);
    return mime;
}

QStringList LibraryModel::mimeTypes() const { return {QStringLiteral("text/uri-list")}; }

}  // namespace espalier::ui
