#include "calib/layer_measurement.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <stdexcept>

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

struct RoleName {
    TensorRole role;
    std::string_view name;
};

constexpr std::array kRoleNames{
    RoleName{TensorRole::AttentionQ, "attn_q"},
    RoleName{TensorRole::AttentionK, "attn_k"},
    RoleName{TensorRole::AttentionV, "attn_v"},
    RoleName{TensorRole::AttentionOutput, "attn_output"},
    RoleName{TensorRole::DenseGate, "ffn_gate"},
    RoleName{TensorRole::DenseUp, "ffn_up"},
    RoleName{TensorRole::DenseDown, "ffn_down"},
    RoleName{TensorRole::Router, "ffn_gate_inp"},
};

}  // namespace

void add_measurement(LayerMeasurement& sum, const LayerMeasurement& part) {
    sum.stats.tokens += part.stats.tokens;
    add_values(sum.stats.task_tokens, part.stats.task_tokens, StatMerge::Sum);
    add_fields(sum.stats, part.stats, kCountFields);
    add_fields(sum.stats, part.stats, kSumFields);
    add_fields(sum.stats, part.stats, kTaskCountFields);
    add_fields(sum.stats, part.stats, kTaskSumFields);
    add_fields(sum.stats, part.stats, kVectorFields);
    for (const auto& [role, energy] : part.energies) {
        InputEnergy& total = sum.energies[role];
        total.tokens += energy.tokens;
        add_values(total.sq_sum, energy.sq_sum, StatMerge::Sum);
    }
}

std::string matrix_name(TensorRole role, std::int64_t layer) {
    if (role == TensorRole::Output) return "output";
    const auto found =
        std::find_if(kRoleNames.begin(), kRoleNames.end(),
                     [role](const RoleName& candidate) { return candidate.role == role; });
    if (found == kRoleNames.end()) throw std::logic_error("no matrix name for this role");
    return fmt::format("blk.{}.{}", layer, found->name);
}

}  // namespace espalier
