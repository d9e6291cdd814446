#include "calib/layer_measurement.h"

#include <algorithm>

#include "calib/layer_accumulator.h"
#include "routing/expert_stats_fields.h"

namespace espalier {
namespace {

template <typename T>
void add_values(std::vector<T>& sum, const std::vector<T>& part, StatMerge merge) {
    if (sum.empty()) sum.resize(part.size());
    for (std::size_t i = 0; i < part.size(); ++i) {
        sum[i] = merge == StatMerge::Maximum ? std::max(sum[i], part[i]) : sum[i] + part[i];
    }
}

template <typename Fields>
void add_fields(LayerStats& sum, const LayerStats& part, const Fields& fields) {
    for (const auto& field : fields) {
        add_values(sum.*field.values, part.*field.values, field.merge);
    }
}

}  // namespace

InputEnergy energy_of(std::span<const float> rows, std::size_t num_tokens) {
    InputEnergy energy{.tokens = static_cast<std::int64_t>(num_tokens),
                       .sq_sum = std::vector<double>(rows.size() / num_tokens)};
    add_squares(rows, energy.sq_sum);
    return energy;
}

void add_energy(InputEnergy& sum, const InputEnergy& part) {
    sum.tokens += part.tokens;
    add_values(sum.sq_sum, part.sq_sum, StatMerge::Sum);
}

void add_measurement(LayerMeasurement& sum, const LayerMeasurement& part) {
    sum.stats.tokens += part.stats.tokens;
    add_values(sum.stats.task_tokens, part.stats.task_tokens, StatMerge::Sum);
    add_fields(sum.stats, part.stats, kCountFields);
    add_fields(sum.stats, part.stats, kSumFields);
    add_fields(sum.stats, part.stats, kTaskCountFields);
    add_fields(sum.stats, part.stats, kTaskSumFields);
    add_fields(sum.stats, part.stats, kVectorFields);
    if (sum.stats.top_contexts.empty()) {
        sum.stats.top_contexts.resize(part.stats.top_contexts.size());
    }
    for (std::size_t e = 0; e < part.stats.top_contexts.size(); ++e) {
        keep_top_contexts(sum.stats.top_contexts[e], part.stats.top_contexts[e]);
    }
    for (const auto& [role, energy] : part.energies) {
        add_energy(sum.energies[role], energy);
    }
}

}  // namespace espalier
