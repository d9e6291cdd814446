#pragma once

#include <QAbstractTableModel>
#include <map>
#include <string>
#include <vector>

namespace espalier::ui {

/// What a run measured: a row a measure, the original beside the compressed model where both are
/// known.
class MetricsModel : public QAbstractTableModel {
    Q_OBJECT

public:
    enum Column { Measure, Original, Compressed, Change, ColumnCount };

    using QAbstractTableModel::QAbstractTableModel;

    /// By the names under which stages report them: "perplexity.python", "kl".
    void setMetrics(std::map<std::string, double> metrics);
    void mergeMetrics(const std::map<std::string, double>& metrics);
    /// "pass", "warn" or "fail" with its reasons; empty takes the row away.
    void setRoutingVerdict(const QString& verdict, const QString& reasons);

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    struct Row {
        QString id;
        QString label;
        QString tip;
        QString original;
        QString compressed;
        QString change;
        bool operator==(const Row&) const = default;
    };

    void rebuild();
    const double* find(const std::string& name) const;
    void addPerplexities(std::vector<Row>& rows) const;
    void addDivergence(std::vector<Row>& rows) const;
    void addRouting(std::vector<Row>& rows) const;
    void addSizes(std::vector<Row>& rows) const;

    std::map<std::string, double> m_metrics;
    QString m_verdict;
    QString m_verdictReasons;
    std::vector<Row> m_rows;
};

}  // namespace espalier::ui
