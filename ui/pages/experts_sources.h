#pragma once

#include <QWidget>
#include <optional>
#include <vector>

#include "ui/bridge/expert_data.h"
#include "ui/bridge/services.h"
#include "ui/bridge/stats_sources.h"

class QBoxLayout;
class QComboBox;

namespace espalier::ui {

class PushButton;
struct Failure;

/// Which model the inspector shows, and by which of its statistics.
class ExpertsSources : public QWidget {
    Q_OBJECT

public:
    explicit ExpertsSources(const Services& services, QWidget* parent = nullptr);

    /// Lists the models anew, and the statistics of the one that is shown.
    void refresh();
    /// Shows a model by its newest statistics. @param stats those instead; empty = the newest
    void openModel(const QString& model, const QString& stats = {});
    const QString& model() const { return m_model; }
    /// Null without statistics.
    const StatsSource* current() const;
    void arrange(bool isNarrow);
    void browseModel();

Q_SIGNALS:
    void opened(const espalier::ui::ExpertDataRequest& request);
    void collectRequested();
    /// All statistics of the model that is shown.
    void sourcesFound(const std::vector<espalier::ui::StatsSource>& sources);
    void refreshed();
    void announced(const QString& text);
    void failed(const espalier::ui::Failure& failure);

private:
    void buildLayout();
    QComboBox* makeCombo(const QString& name, const QString& accessibleName, int letters);
    void connectControls();
    void readModels();
    void addModel(const QString& label, const QString& path);
    void readSources(const QString& wanted, bool opens);
    void fillSources(const std::vector<StatsSource>& sources, const QString& wanted, bool opens);
    void openCurrent();
    void importFile();
    void importPath(const QString& path);
    void exportFile();
    static QString labelOf(const StatsSource& source);

    Services m_services;
    QString m_model;
    std::vector<StatsSource> m_sources;
    QBoxLayout* m_line;
    QBoxLayout* m_choice;
    QComboBox* m_models;
    QComboBox* m_stats;
    PushButton* m_browse;
    PushButton* m_collect;
    PushButton* m_import;
    PushButton* m_export;
};

}  // namespace espalier::ui
