#pragma once

#include <QHash>
#include <QWidget>
#include <functional>

#include "ui/charts/chart_table_model.h"

class QAbstractAxis;
class QChart;
class QChartView;
class QHBoxLayout;
class QIODevice;
class QLabel;
class QStackedWidget;
class QTableView;
class QToolButton;
class QValueAxis;

namespace espalier::ui {

/// A chart with its title, a table of the same figures behind the key T, an export, and a sentence
/// in place of the drawing while there is nothing to draw.
class ChartPanel : public QWidget {
    Q_OBJECT

public:
    /// @param name object name of the chart, such as `run_saliency_chart`
    ChartPanel(const QString& name, const QString& title, QWidget* parent = nullptr);
    ~ChartPanel() override;

    void setEmptyText(const QString& text);
    /// The sentence that a screen reader gets.
    void setSummary(const QString& text);
    /// The least height of the drawing, in lines of text.
    void setLeastLines(int lines);
    bool showsTable() const;
    void setShowsTable(bool shows);

protected:
    void changeEvent(QEvent* event) override;

    QChart& chart() const { return *m_chart; }
    /// What has the focus while the drawing shows.
    QChartView& view() const { return *m_view; }
    /// A control in the line of the title.
    void addOption(QWidget* option);
    QValueAxis& xAxis() const { return *m_xAxis; }
    QValueAxis& yAxis() const { return *m_yAxis; }
    void setTable(ChartTable table);
    /// Colours of the series; called when they or the theme change.
    virtual void paintSeries() = 0;
    /// As both axes that are there from the start.
    void paintAxis(QAbstractAxis& axis) const;
    void applyTheme();

private:
    void buildLayout(const QString& name, const QString& title);
    QWidget* makeHeader(const QString& name, const QString& title);
    void showCurrentView();
    void thinTicks();
    void exportTable();
    void exportImage();
    void copyTable();
    void copyImage();
    QPixmap picture() const;
    void askWhere(const QString& title, const QString& name, const QString& filter,
                  const std::function<bool(QIODevice&)>& write);

    QChart* m_chart;
    QChartView* m_view;
    QValueAxis* m_xAxis;
    QValueAxis* m_yAxis;
    QHash<QValueAxis*, int> m_steps;  ///< of each vertical axis, if there is room for their numbers
    QHBoxLayout* m_header;
    int m_leastLines;
    QLabel* m_title;
    QLabel* m_empty;
    QTableView* m_tableView;
    QToolButton* m_tableButton;
    QToolButton* m_exportButton;
    QStackedWidget* m_stack;
    ChartTableModel* m_tableModel;
};

}  // namespace espalier::ui
