#include "ui/models/expert_facts.h"

#include <QCoreApplication>
#include <QStringList>
#include <algorithm>
#include <cmath>

#include "ui/models/format.h"
#include "ui/models/plan_matrix.h"

namespace espalier::ui {
namespace {

constexpr std::size_t mostPartners = 8;

QString tr(const char* text) { return QCoreApplication::translate("ExpertFacts", text); }

double ratio(std::int64_t part, std::int64_t whole) {
    return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0.0;
}

template <typename T>
std::vector<T> rowOf(const std::vector<T>& values, std::size_t row, std::size_t columns) {
    if (values.size() < (row + 1) * columns) return {};
    const auto begin = values.begin() + static_cast<std::ptrdiff_t>(row * columns);
    return std::vector<T>(begin, begin + static_cast<std::ptrdiff_t>(columns));
}

std::vector<std::pair<std::int32_t, double>> partnersOf(const LayerStats& stats, std::size_t e) {
    std::vector<std::pair<std::int32_t, double>> partners;
    const std::size_t experts = stats.count.size();
    const auto together = rowOf(stats.coactivation, e, experts);
    for (std::size_t other = 0; other < together.size(); ++other) {
        if (other != e && together[other] > 0)
            partners.emplace_back(static_cast<std::int32_t>(other),
                                  ratio(together[other], stats.count[e]));
    }
    std::stable_sort(partners.begin(), partners.end(),
                     [](const auto& a, const auto& b) { return a.second > b.second; });
    partners.resize(std::min(partners.size(), mostPartners));
    return partners;
}

double cosine(const double* a, const double* b, std::size_t size) {
    double product = 0;
    double left = 0;
    double right = 0;
    for (std::size_t i = 0; i < size; ++i) {
        product += a[i] * b[i];
        left += a[i] * a[i];
        right += b[i] * b[i];
    }
    return left > 0 && right > 0 ? product / std::sqrt(left * right) : 0.0;
}

std::optional<std::pair<std::int32_t, double>> nearestOf(const LayerStats& stats, std::size_t e) {
    const std::size_t experts = stats.count.size();
    if (stats.output_sum.empty() || stats.count[e] == 0) return std::nullopt;
    const std::size_t hidden = stats.output_sum.size() / experts;
    std::optional<std::pair<std::int32_t, double>> best;
    for (std::size_t other = 0; other < experts; ++other) {
        if (other == e || stats.count[other] == 0) continue;
        const double likeness = cosine(stats.output_sum.data() + e * hidden,
                                       stats.output_sum.data() + other * hidden, hidden);
        if (!best || likeness > best->second)
            best.emplace(static_cast<std::int32_t>(other), likeness);
    }
    return best;
}

QString oneLine(const std::string& text) {
    return QString::fromStdString(text).replace(QLatin1Char('\n'), QStringLiteral("⏎"));
}

/// "3, 17": what becomes part of an expert.
QString membersOf(const LayerPlan& row, std::int32_t expert) {
    QStringList members;
    for (const auto& group : row.groups) {
        if (group.empty() || group.front() != expert) continue;
        for (std::size_t i = 1; i < group.size(); ++i) members.append(QString::number(group[i]));
    }
    return members.join(QStringLiteral(", "));
}

}  // namespace

ExpertFacts factsOf(const ExpertData& data, const LayerScores& scores, const ExpertCell& cell) {
    ExpertFacts facts;
    facts.cell = cell;
    const auto e = static_cast<std::size_t>(cell.expert);
    const auto& layerScores = scores.at(cell.layer);
    facts.score = layerScores[e];
    facts.rank = 1 + static_cast<std::int32_t>(
                         std::count_if(layerScores.begin(), layerScores.end(),
                                       [&](double score) { return score > facts.score; }));
    if (!data.hasStats()) return facts;
    const LayerStats& stats = data.stats.layers.at(cell.layer);
    const std::size_t experts = stats.count.size();
    facts.count = stats.count[e];
    facts.tokenShare = ratio(stats.count[e], stats.tokens);
    facts.meanShare = ratio(data.config.router.top_k, data.numExperts());
    if (facts.count > 0) facts.meanGate = stats.gate_sum[e] / static_cast<double>(facts.count);
    facts.gateHistogram = rowOf(stats.gate_histogram, e, kGateHistogramBins);
    facts.positions = rowOf(stats.position_count, e, kPositionBins);
    for (std::size_t task = 0; task < data.stats.tasks.size(); ++task) {
        if (stats.task_count.size() < (task + 1) * experts) break;
        facts.taskShares.push_back(
            ratio(stats.task_count[task * experts + e], stats.task_tokens[task]));
    }
    facts.firesWith = partnersOf(stats, e);
    facts.nearest = nearestOf(stats, e);
    if (e < stats.top_contexts.size()) facts.contexts = &stats.top_contexts[e];
    return facts;
}

QString contextText(const ExpertFacts& facts) {
    QStringList lines;
    if (facts.contexts == nullptr) return {};
    for (const TopContext& context : *facts.contexts) {
        lines.append(QStringLiteral("%1  …%2[%3]%4…")
                         .arg(format::significant(context.gate), oneLine(context.before),
                              oneLine(context.text), oneLine(context.after)));
    }
    return lines.join(QLatin1Char('\n'));
}

QString decisionText(const PlanState& plan, const ExpertCell& cell) {
    const auto found = plan.layers.find(cell.layer);
    if (found == plan.layers.end()) return tr("kept");
    const LayerPlan& row = *found->second;
    const auto holds = [&](const std::vector<std::int32_t>& ids) {
        return std::binary_search(ids.begin(), ids.end(), cell.expert);
    };
    if (holds(row.forced_out)) return tr("removed, forced out");
    if (const auto survivor = plan.mergedInto(cell.layer, cell.expert))
        return tr("merged into %1").arg(*survivor);
    if (!holds(row.kept)) return plan.replaces() ? tr("its mean in its place") : tr("removed");
    QStringList words{tr("kept")};
    if (holds(row.locked)) {
        words.append(tr("locked"));
    } else {
        const ExpertCells rules = protectedExperts(plan);
        const auto rule = rules.find(cell.layer);
        if (rule != rules.end() && holds(rule->second)) words.append(tr("protected"));
    }
    if (const QString members = membersOf(row, cell.expert); !members.isEmpty())
        words.append(tr("takes in %1").arg(members));
    return words.join(QStringLiteral(", "));
}

}  // namespace espalier::ui
