#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "routing/expert_stats.h"
#include "tensor/shape.h"

namespace espalier {

/// Shape of a statistic in the file.
enum class StatExtent {
    Experts,      ///< [experts]
    ExpertPairs,  ///< [experts, experts]
    Histogram,    ///< [experts, 32]
    Positions,    ///< [experts, 8]
    HalfExperts,  ///< [2, experts]
    Doublings,    ///< [4, experts]
    Layer,        ///< [1]
    Columns,      ///< [experts, any]
    Samples,      ///< [any, any]: nothing about single experts
};

/// Shape in the file; [experts] for Columns, whose second dimension is free, [1] for Samples.
inline Shape stat_shape(StatExtent extent, std::int64_t num_experts) {
    switch (extent) {
        case StatExtent::ExpertPairs:
            return {num_experts, num_experts};
        case StatExtent::Histogram:
            return {num_experts, static_cast<std::int64_t>(kGateHistogramBins)};
        case StatExtent::Positions:
            return {num_experts, static_cast<std::int64_t>(kPositionBins)};
        case StatExtent::HalfExperts:
            return {2, num_experts};
        case StatExtent::Doublings:
            return {static_cast<std::int64_t>(kDoublings), num_experts};
        case StatExtent::Layer:
        case StatExtent::Samples:
            return {1};
        case StatExtent::Experts:
        case StatExtent::Columns:
            return {num_experts};
    }
    return {};
}

enum class StatMerge { Sum, Maximum };

/// One member of LayerStats, as the file names it: saving, loading and merging walk these lists.
template <typename T>
struct StatField {
    std::string_view name;
    std::vector<T> LayerStats::*values;
    StatExtent extent = StatExtent::Experts;
    /// What it is gathered with; nothing: always there.
    std::optional<OptionalStat> stat = std::nullopt;
    StatMerge merge = StatMerge::Sum;

    bool is_required() const { return !stat.has_value(); }
};

inline constexpr std::array kCountFields{
    StatField<std::int64_t>{"frequency", &LayerStats::count},
    StatField<std::int64_t>{"coactivation", &LayerStats::coactivation, StatExtent::ExpertPairs,
                            OptionalStat::Coactivation},
    StatField<std::int64_t>{"gate_histogram", &LayerStats::gate_histogram, StatExtent::Histogram,
                            OptionalStat::GateHistogram},
    StatField<std::int64_t>{"half_frequency", &LayerStats::half_count, StatExtent::HalfExperts,
                            OptionalStat::Stability},
    StatField<std::int64_t>{"position_frequency", &LayerStats::position_count,
                            StatExtent::Positions, OptionalStat::Positions},
    StatField<std::int64_t>{"doubling_frequency", &LayerStats::doubling_count,
                            StatExtent::Doublings, OptionalStat::Stability},
};

inline constexpr std::array kSumFields{
    StatField<double>{"gate_mass", &LayerStats::gate_sum},
    StatField<double>{"ean_sum", &LayerStats::norm_sum},
    StatField<double>{"wean_sum", &LayerStats::gated_norm_sum},
    StatField<double>{"wean_sq_sum", &LayerStats::gated_norm_sq_sum},
    StatField<double>{"ean_sq_sum", &LayerStats::norm_sq_sum},
    StatField<double>{"max_act", &LayerStats::max_abs, StatExtent::Experts, std::nullopt,
                      StatMerge::Maximum},
    StatField<double>{"half_wean_sum", &LayerStats::half_gated_norm_sum, StatExtent::HalfExperts,
                      OptionalStat::Stability},
    StatField<double>{"doubling_gate_mass", &LayerStats::doubling_gate_sum, StatExtent::Doublings,
                      OptionalStat::Stability},
    StatField<double>{"doubling_wean_sum", &LayerStats::doubling_gated_norm_sum,
                      StatExtent::Doublings, OptionalStat::Stability},
    StatField<double>{"hidden_sq_sum", &LayerStats::hidden_sq_sum, StatExtent::Layer,
                      OptionalStat::EasyEp},
    StatField<double>{"easy_ep_sum", &LayerStats::easy_ep_sum, StatExtent::Experts,
                      OptionalStat::EasyEp},
    StatField<double>{"router_mass", &LayerStats::router_mass, StatExtent::Experts,
                      OptionalStat::RouterMass},
    StatField<double>{"sas_sum", &LayerStats::substitution_sum, StatExtent::Experts,
                      OptionalStat::Substitution},
    StatField<double>{"sas_sq_sum", &LayerStats::substitution_sq_sum, StatExtent::Experts,
                      OptionalStat::Substitution},
};

/// [tasks, experts] in memory, one tensor [experts] a task in the file.
inline constexpr std::array kTaskCountFields{
    StatField<std::int64_t>{"frequency", &LayerStats::task_count},
};
inline constexpr std::array kTaskSumFields{
    StatField<double>{"gate_mass", &LayerStats::task_gate_sum},
    StatField<double>{"wean_sum", &LayerStats::task_gated_norm_sum},
    StatField<double>{"easy_ep_sum", &LayerStats::task_easy_ep_sum, StatExtent::Experts,
                      OptionalStat::EasyEp},
};

/// F32 in the second file; sized when the first tokens come.
inline constexpr std::array kVectorFields{
    StatField<double>{"output_sum", &LayerStats::output_sum, StatExtent::Columns,
                      OptionalStat::OutputSum},
    StatField<double>{"gate_up_input_sq_sum", &LayerStats::gate_up_input_sq_sum,
                      StatExtent::Columns, OptionalStat::InputEnergies},
    StatField<double>{"down_input_sq_sum", &LayerStats::down_input_sq_sum, StatExtent::Columns,
                      OptionalStat::InputEnergies},
    StatField<double>{"gated_gram", &LayerStats::gated_gram, StatExtent::ExpertPairs,
                      OptionalStat::CoactGram},
    StatField<double>{"channel_energy", &LayerStats::channel_energy, StatExtent::Columns,
                      OptionalStat::Channels},
    StatField<double>{"channel_max_sq", &LayerStats::channel_max_sq, StatExtent::Columns,
                      OptionalStat::Channels, StatMerge::Maximum},
    // Of the weights: the same in every part.
    StatField<double>{"down_column_sq", &LayerStats::down_column_sq, StatExtent::Columns,
                      OptionalStat::Channels, StatMerge::Maximum},
    StatField<double>{"router_profile", &LayerStats::router_profile, StatExtent::Columns,
                      OptionalStat::Profiles},
    StatField<double>{"input_sample", &LayerStats::input_sample, StatExtent::Samples,
                      OptionalStat::Profiles},
    StatField<double>{"gated_output_sum", &LayerStats::gated_output_sum, StatExtent::Columns,
                      OptionalStat::Profiles},
};

}  // namespace espalier
