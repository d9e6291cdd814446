#pragma once

#include <QWidget>

#include "store/library.h"
#include "ui/bridge/failure.h"
#include "ui/bridge/run_summary.h"
#include "ui/bridge/services.h"

class QComboBox;

namespace espalier::ui {

class TextLabel;

/// Which model to talk to: the sample, results of runs, the library, or any on the disk; and what
/// is known of the chosen one.
class PlayModelPicker : public QWidget {
    Q_OBJECT

public:
    explicit PlayModelPicker(const Services& services, QWidget* parent = nullptr);

    /// Fills the list again from the library.
    void refresh();
    /// The chosen model; empty before there is one.
    const QString& path() const { return m_path; }
    /// Shows it as the chosen one, without a signal.
    void setPath(const QString& path);
    void setStatus(const QString& text);

Q_SIGNALS:
    void chosen(const QString& path);
    void refreshed();
    void failed(const espalier::ui::Failure& failure);

private:
    void buildLayout();
    void fill(const std::vector<ModelRecord>& models, const std::vector<RunSummary>& runs);
    void add(const QString& label, const QString& path);
    void browseFolder();
    void browseFile();

    Services m_services;
    QString m_path;
    QComboBox* m_models;
    TextLabel* m_status;
};

}  // namespace espalier::ui
