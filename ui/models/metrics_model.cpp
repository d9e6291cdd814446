#include "ui/models/metrics_model.h"

#include <QLocale>
#include <utility>

#include "ui/models/format.h"
#include "ui/models/roles.h"

namespace espalier::ui {
namespace {

QVariant alignment(int column) {
    return column == MetricsModel::Measure ? QVariant(Qt::AlignLeft | Qt::AlignVCenter)
                                           : QVariant(Qt::AlignRight | Qt::AlignVCenter);
}

QString changeText(double before, double after) {
    if (before == 0) return {};
    const double change = after / before - 1;
    return (change >= 0 ? QStringLiteral("+") : QStringLiteral("−")) +
           format::percent(std::abs(change));
}

}  // namespace

void MetricsModel::setMetrics(std::map<std::string, double> metrics) {
    m_metrics = std::move(metrics);
    rebuild();
}

void MetricsModel::mergeMetrics(const std::map<std::string, double>& metrics) {
    for (const auto& [name, value] : metrics) m_metrics[name] = value;
    rebuild();
}

void MetricsModel::setRoutingVerdict(const QString& verdict, const QString& reasons) {
    m_verdict = verdict;
    m_verdictReasons = reasons;
    rebuild();
}

void MetricsModel::rebuild() {
    std::vector<Row> rows;
    addPerplexities(rows);
    addDivergence(rows);
    addRouting(rows);
    addSizes(rows);
    if (rows == m_rows) return;
    beginResetModel();
    m_rows = std::move(rows);
    endResetModel();
}

const double* MetricsModel::find(const std::string& name) const {
    const auto found = m_metrics.find(name);
    return found == m_metrics.end() ? nullptr : &found->second;
}

void MetricsModel::addPerplexities(std::vector<Row>& rows) const {
    const std::string prefix = "perplexity.";
    for (const auto& [name, value] : m_metrics) {
        if (!name.starts_with(prefix)) continue;
        const QString task = QString::fromStdString(name.substr(prefix.size()));
        Row row{QString::fromStdString(name),
                tr("Perplexity, %1").arg(task),
                tr("How surprised the model is by text that it was not calibrated on; lower is "
                   "better."),
                {},
                format::significant(value),
                {}};
        if (const double* original = find("reference_" + name)) {
            row.original = format::significant(*original);
            row.change = changeText(*original, value);
        }
        rows.push_back(row);
    }
}

void MetricsModel::addDivergence(std::vector<Row>& rows) const {
    if (const double* kl = find("kl")) {
        rows.push_back(
            {QStringLiteral("kl"),
             tr("KL to the original"),
             tr("Mean divergence of the next-token distributions, in nats; 0 = the same."),
             {},
             format::significant(*kl),
             {}});
    }
    if (const double* top1 = find("top1")) {
        rows.push_back({QStringLiteral("top1"),
                        tr("Same top token"),
                        tr("Share of positions where both models put the same token first."),
                        {},
                        format::percent(*top1),
                        {}});
    }
}

void MetricsModel::addRouting(std::vector<Row>& rows) const {
    if (m_verdict.isEmpty()) return;
    rows.push_back({QStringLiteral("routing"),
                    tr("Routing kept"),
                    m_verdictReasons,
                    {},
                    format::routingVerdict(m_verdict),
                    {}});
}

void MetricsModel::addSizes(std::vector<Row>& rows) const {
    const double* before = find("bytes_before");
    const double* quantised = find("bytes");
    const double* after = quantised != nullptr ? quantised : find("bytes_after");
    const auto size = [](const double* bytes) {
        return bytes == nullptr ? QString() : format::fileSize(static_cast<std::uint64_t>(*bytes));
    };
    if (after != nullptr) {
        rows.push_back({QStringLiteral("bytes"), tr("Size"), tr("Weights as stored."), size(before),
                        size(after), before == nullptr ? QString() : changeText(*before, *after)});
    }
    const double* experts = find("experts_after");
    const double* all = find("experts_before");
    if (experts != nullptr && all != nullptr) {
        rows.push_back({QStringLiteral("experts"),
                        tr("Experts per layer"),
                        {},
                        format::integer(static_cast<qint64>(*all)),
                        format::integer(static_cast<qint64>(*experts)),
                        changeText(*all, *experts)});
    }
    if (const double* bits = find("bits_per_weight")) {
        rows.push_back({QStringLiteral("bits"),
                        tr("Bits per weight"),
                        tr("Mean over the whole file."),
                        {},
                        QLocale().toString(*bits, 'f', 2),
                        {}});
    }
}

int MetricsModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(m_rows.size());
}

int MetricsModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : ColumnCount;
}

QVariant MetricsModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid)) return {};
    const Row& row = m_rows[static_cast<std::size_t>(index.row())];
    if (role == IdRole) return row.id;
    if (role == Qt::ToolTipRole) return row.tip;
    if (role == Qt::TextAlignmentRole) return alignment(index.column());
    if (role != Qt::DisplayRole) return {};
    switch (index.column()) {
        case Measure:
            return row.label;
        case Original:
            return row.original.isEmpty() ? QStringLiteral("–") : row.original;
        case Compressed:
            return row.compressed;
        case Change:
            return row.change.isEmpty() ? QStringLiteral("–") : row.change;
        default:
            return {};
    }
}

QVariant MetricsModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal) return {};
    if (role == Qt::TextAlignmentRole) return alignment(section);
    if (role != Qt::DisplayRole) return {};
    switch (section) {
        case Measure:
            return tr("Measure");
        case Original:
            return tr("Original");
        case Compressed:
            return tr("Compressed");
        case Change:
            return tr("Change");
        default:
            return {};
    }
}

}  // namespace espalier::ui
