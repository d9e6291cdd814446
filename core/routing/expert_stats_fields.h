#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "routing/expert_stats.h"
#include "tensor/shape.h"

namespace espalier {

/// Second dimension of a statistic whose first is the experts; or the whole shape where said.
enum class StatExtent {
    Experts,      ///< [experts]
    ExpertPairs,  ///< [experts, experts]
    Histogram,    ///< [experts, 32]
    HalfExperts,  ///< [2, experts]
    Columns,      ///< [experts, any]
};

/// Shape in the file; [experts] for Columns, whose second dimension is free.
inline Shape stat_shape(StatExtent extent, std::int64_t num_experts) {
    switch (extent) {
        case StatExtent::ExpertPairs:
            return {num_experts, num_experts};
        case StatExtent::Histogram:
            return {num_experts, static_cast<std::int64_t>(kGateHistogramBins)};
        case StatExtent::HalfExperts:
            return {2, num_experts};
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
    bool is_required = true;
    StatMerge merge = StatMerge::Sum;
};

inline constexpr std::array kCountFields{
    StatField<std::int64_t>{"frequency", &LayerStats::count},
    StatField<std::int64_t>{"coactivation", &LayerStats::coactivation, StatExtent::ExpertPairs,
                            false},
    StatField<std::int64_t>{"gate_histogram", &LayerStats::gate_histogram, StatExtent::Histogram,
                            false},
    StatField<std::int64_t>{"half_frequency", &LayerStats::half_count, StatExtent::HalfExperts,
                            false},
};

inline constexpr std::array kSumFields{
    StatField<double>{"gate_mass", &LayerStats::gate_sum},
    StatField<double>{"ean_sum", &LayerStats::norm_sum},
    StatField<double>{"wean_sum", &LayerStats::gated_norm_sum},
    StatField<double>{"wean_sq_sum", &LayerStats::gated_norm_sq_sum},
    StatField<double>{"ean_sq_sum", &LayerStats::norm_sq_sum},
    StatField<double>{"max_act", &LayerStats::max_abs, StatExtent::Experts, true,
                      StatMerge::Maximum},
    StatField<double>{"half_wean_sum", &LayerStats::half_gated_norm_sum, StatExtent::HalfExperts,
                      false},
};

/// [tasks, experts] in memory, one tensor [experts] a task in the file.
inline constexpr std::array kTaskCountFields{
    StatField<std::int64_t>{"frequency", &LayerStats::task_count},
};
inline constexpr std::array kTaskSumFields{
    StatField<double>{"gate_mass", &LayerStats::task_gate_sum},
    StatField<double>{"wean_sum", &LayerStats::task_gated_norm_sum},
};

/// F32 in the second file.
inline constexpr std::array kVectorFields{
    StatField<double>{"output_sum", &LayerStats::output_sum, StatExtent::Columns, false},
    StatField<double>{"gate_up_input_sq_sum", &LayerStats::gate_up_input_sq_sum,
                      StatExtent::Columns, false},
    StatField<double>{"down_input_sq_sum", &LayerStats::down_input_sq_sum, StatExtent::Columns,
                      false},
};

}  // namespace espalier
