#pragma once

#include <QWidget>

class QBoxLayout;
class QCheckBox;
class QComboBox;
class QLineEdit;
class QSpinBox;

namespace espalier::ui {

class LibraryFilter;
class LibraryModel;
class PushButton;

/// Search text, filters, and the context length that "fits" is judged at.
class ModelsFilterBar : public QWidget {
    Q_OBJECT

public:
    ModelsFilterBar(LibraryModel& model, LibraryFilter& filter, QWidget* parent = nullptr);

    void arrange(bool isNarrow);
    /// @param available memory that is free
    void showMachine(quint64 available);
    /// Everything is shown again. False if it was anyway.
    bool clear();

Q_SIGNALS:
    void changed();

private:
    void buildLayout();
    void apply();

    LibraryModel& m_model;
    LibraryFilter& m_filter;
    QLineEdit* m_search;
    QComboBox* m_format;
    QComboBox* m_experts;
    QCheckBox* m_fits;
    QSpinBox* m_context;
    PushButton* m_clear;
    QBoxLayout* m_lines;
};

}  // namespace espalier::ui
