#pragma once

#include <QWidget>
#include <map>
#include <string>

#include "ui/bridge/probe_types.h"

class QBoxLayout;
class QLayout;
class QComboBox;
class QProgressBar;
class QSpinBox;

namespace espalier::ui {

class ExpertSession;
class FrontierChart;
class InfoView;
class PushButton;
class TextLabel;
struct InfoRow;

/// What the plan comes to: predicted as far as there is an honest way, measured when asked for.
class ExpertsMeasurePanel : public QWidget {
    Q_OBJECT

public:
    explicit ExpertsMeasurePanel(ExpertSession& session, QWidget* parent = nullptr);

    /// Where plans lie that were measured; it stands elsewhere on the page.
    FrontierChart& points() { return *m_points; }
    void arrange(bool isNarrow);
    /// Ends what is being measured. False if nothing was.
    bool cancel();

private:
    void buildLayout();
    QLayout* makeProgress();
    QWidget* makeMeasureLine();
    QWidget* makeSearchLine();
    void showData();
    void showNumbers();
    void showBusy();
    void showPoints();
    void showProgress(double fraction, const QString& text);
    InfoRow divergenceRow() const;
    static InfoRow routingRow(const ProbeRouting& routing);
    InfoRow taskRow(const std::string& task, double mass, const ProbeReading* reading) const;
    void addProbe(const QString& label, const ProbeSource& source);
    void takeProbe();
    void chooseFile();
    bool hasProbe() const;

    ExpertSession& m_session;
    std::vector<ProbeSource> m_probes;
    QBoxLayout* m_columns;
    InfoView* m_numbers;
    TextLabel* m_taskTitle;
    InfoView* m_tasks;
    FrontierChart* m_points;
    QComboBox* m_probe;
    PushButton* m_measure;
    PushButton* m_auto;
    QSpinBox* m_seconds;
    QProgressBar* m_bar;
    TextLabel* m_status;
    TextLabel* m_problem;  ///< why the plan cannot be measured
    bool m_isSearching = false;
};

}  // namespace espalier::ui
