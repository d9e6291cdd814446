#include "ui/models/plan_csv.h"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>
#include <string>

namespace espalier::ui {
namespace {

bool holds(const std::vector<std::int32_t>& ids, std::int32_t id) {
    return std::binary_search(ids.begin(), ids.end(), id);
}

double mean(double sum, std::int64_t count) {
    return count > 0 ? sum / static_cast<double>(count) : 0.0;
}

}  // namespace

QByteArray planCsv(const ExpertData& data, const PlanState& plan, const LayerScores& scores) {
    std::string text = "layer,expert,kept,locked,forced_out,score";
    if (data.hasStats()) text += ",count,gate_mean,mean_gated_norm";
    text += '\n';
    for (const auto& [layer, row] : plan.layers) {
        const auto& score = scores.at(layer);
        for (std::int32_t id = 0; id < static_cast<std::int32_t>(data.numExperts()); ++id) {
            const auto e = static_cast<std::size_t>(id);
            fmt::format_to(std::back_inserter(text), "{},{},{:d},{:d},{:d},{}", layer, id,
                           holds(row->kept, id), holds(row->locked, id), holds(row->forced_out, id),
                           score[e]);
            if (data.hasStats()) {
                const LayerStats& stats = data.stats.layers.at(layer);
                fmt::format_to(std::back_inserter(text), ",{},{},{}", stats.count[e],
                               mean(stats.gate_sum[e], stats.count[e]),
                               mean(stats.gated_norm_sum[e], stats.count[e]));
            }
            text += '\n';
        }
    }
    return QByteArray::fromStdString(text);
}

}  // namespace espalier::ui
