#include "routing/expert_stats.h"

#include <algorithm>

#include "routing/expert_stats_fields.h"

namespace espalier {
namespace {

template <typename Fields>
void fill_with_zeros(LayerStats& layer, const Fields& fields, std::int64_t num_experts,
                     const StatChoice& choice) {
    for (const auto& field : fields) {
        if (field.stat && !choice.has(*field.stat)) continue;
        const Shape shape = stat_shape(field.extent, num_experts);
        (layer.*field.values).assign(num_elements(shape).value_or(0), 0);
    }
}

}  // namespace

std::int64_t ExpertStats::total_tokens() const noexcept {
    std::int64_t most = 0;
    for (const auto& [index, layer] : layers) most = std::max(most, layer.tokens);
    return most;
}

LayerStats empty_layer_stats(std::int64_t num_experts, std::size_t num_tasks,
                             const StatChoice& choice) {
    const std::int64_t task_rows = num_experts * static_cast<std::int64_t>(num_tasks);
    LayerStats layer;
    fill_with_zeros(layer, kCountFields, num_experts, choice);
    fill_with_zeros(layer, kSumFields, num_experts, choice);
    layer.task_tokens.assign(num_tasks, 0);
    fill_with_zeros(layer, kTaskCountFields, task_rows, choice);
    fill_with_zeros(layer, kTaskSumFields, task_rows, choice);
    return layer;
}

void keep_top_contexts(std::vector<TopContext>& list, const std::vector<TopContext>& more) {
    list.insert(list.end(), more.begin(), more.end());
    std::sort(list.begin(), list.end(), [](const TopContext& a, const TopContext& b) {
        return a.gate != b.gate ? a.gate > b.gate : a.row < b.row;
    });
    if (list.size() > kTopContexts) list.resize(kTopContexts);
}

}  // namespace espalier
