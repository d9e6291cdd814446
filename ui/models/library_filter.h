#pragma once

#include <QSortFilterProxyModel>

namespace espalier::ui {

enum class FormatFilter { All, HubFolders, Gguf };
enum class ExpertsFilter { Any, WithExperts, WithoutExperts };

/// The rows of the library that are asked for. A model stays as long as one that was made from it
/// does.
class LibraryFilter : public QSortFilterProxyModel {
    Q_OBJECT

public:
    explicit LibraryFilter(QObject* parent = nullptr);

    /// Words that must all occur in name, publisher, family, place or note.
    void setText(const QString& text);
    void setFormat(FormatFilter format);
    void setExperts(ExpertsFilter experts);
    void setOnlyFitting(bool onlyFitting);
    bool isActive() const;

protected:
    bool filterAcceptsRow(int row, const QModelIndex& parent) const override;
    bool lessThan(const QModelIndex& left, const QModelIndex& right) const override;

private:
    QStringList m_words;
    FormatFilter m_format = FormatFilter::All;
    ExpertsFilter m_experts = ExpertsFilter::Any;
    bool m_onlyFitting = false;
};

}  // namespace espalier::ui
