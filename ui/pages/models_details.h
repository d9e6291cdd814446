#pragma once

#include <QWidget>
#include <optional>
#include <vector>

#include "ui/bridge/fit.h"
#include "ui/bridge/model_details.h"
#include "ui/bridge/model_entry.h"
#include "ui/bridge/services.h"

class QBoxLayout;
class QLabel;
class QLineEdit;

namespace espalier::ui {

class InfoView;
class PushButton;
class TextLabel;
struct Failure;
struct InfoRow;

/// What is known of the chosen model. Reads its tokenizer and card when it is shown, its hash only
/// when asked.
class ModelsDetails : public QWidget {
    Q_OBJECT

public:
    explicit ModelsDetails(const Services& services, QWidget* parent = nullptr);

    /// @param origin name of the model that it was made from; empty = none that is listed
    void showEntry(const ModelEntry& entry, const QString& origin);
    void showNothing();
    void arrange(bool isNarrow);

Q_SIGNALS:
    /// The hash was taken, or the note written; both are in the library already.
    void entryChanged(const espalier::ui::ModelEntry& entry);
    void failed(const espalier::ui::Failure& failure);

private:
    void buildLayout();
    void showRows();
    std::vector<InfoRow> aboutRows() const;
    std::vector<InfoRow> placeRows() const;
    void saveNote();
    void takeHash();

    Services m_services;
    std::optional<ModelEntry> m_entry;
    QString m_origin;
    std::optional<ModelDetails> m_details;  ///< of m_entry
    TextLabel* m_name;
    TextLabel* m_problem;
    InfoView* m_about;
    InfoView* m_place;
    QBoxLayout* m_columns;
    QLabel* m_noteLabel;
    QLineEdit* m_note;
    PushButton* m_hash;
};

}  // namespace espalier::ui
