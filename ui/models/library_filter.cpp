#include "ui/models/library_filter.h"

#include <algorithm>

#include "ui/models/library_model.h"
#include "ui/models/library_text.h"

namespace espalier::ui {

LibraryFilter::LibraryFilter(QObject* parent) : QSortFilterProxyModel(parent) {
    setRecursiveFilteringEnabled(true);
    setSortRole(Qt::EditRole);
    setDynamicSortFilter(true);
}

void LibraryFilter::setText(const QString& text) {
    m_words = text.split(QLatin1Char(' '), Qt::SkipEmptyParts);
    invalidateFilter();
}

void LibraryFilter::setFormat(FormatFilter format) {
    m_format = format;
    invalidateFilter();
}

void LibraryFilter::setExperts(ExpertsFilter experts) {
    m_experts = experts;
    invalidateFilter();
}

void LibraryFilter::setOnlyFitting(bool onlyFitting) {
    m_onlyFitting = onlyFitting;
    invalidateFilter();
}

bool LibraryFilter::isActive() const {
    return !m_words.isEmpty() || m_format != FormatFilter::All || m_experts != ExpertsFilter::Any ||
           m_onlyFitting;
}

bool LibraryFilter::filterAcceptsRow(int row, const QModelIndex& parent) const {
    const auto& model = static_cast<const LibraryModel&>(*sourceModel());
    const QModelIndex index = model.index(row, 0, parent);
    const ModelEntry& entry = model.entry(index);
    if (m_format == FormatFilter::Gguf && !entry.isGguf()) return false;
    if (m_format == FormatFilter::HubFolders && entry.isGguf()) return false;
    const bool hasExperts = entry.facts && entry.facts->experts > 1;
    if (m_experts == ExpertsFilter::WithExperts && !hasExperts) return false;
    if (m_experts == ExpertsFilter::WithoutExperts && hasExperts) return false;
    if (m_onlyFitting) {
        const auto fit = model.fit(index);
        if (!fit || (fit->fit != Fit::Fits && fit->fit != Fit::Tight)) return false;
    }
    const QString family = entry.facts ? entry.facts->family : QString();
    const QString text =
        QStringList{entry.name, entry.publisher,  family, entry.path, originText(entry.origin),
                    entry.note, entry.libraryName}
            .join(QLatin1Char('\n'));
    return std::all_of(m_words.begin(), m_words.end(), [&](const QString& word) {
        return text.contains(word, Qt::CaseInsensitive);
    });
}

bool LibraryFilter::lessThan(const QModelIndex& left, const QModelIndex& right) const {
    const QVariant a = left.data(Qt::EditRole);
    const QVariant b = right.data(Qt::EditRole);
    if (a.typeId() == QMetaType::QString) {
        const int order =
            QString::localeAwareCompare(a.toString().toLower(), b.toString().toLower());
        if (order != 0) return order < 0;
    } else if (a != b) {
        return QSortFilterProxyModel::lessThan(left, right);
    }
    // Alike: by path, so that rows do not change places.
    const auto& model = static_cast<const LibraryModel&>(*sourceModel());
    return model.entry(left).path < model.entry(right).path;
}

}  // namespace espalier::ui
