#include <cmath>
#include <deque>
#include <fmt/format.h>
#include <span>

#include "base/error.h"
#include "base/file_hash.h"
#include "formats/safetensors_writer.h"
#include "routing/expert_stats.h"
#include "routing/expert_stats_fields.h"
#include "routing/expert_stats_file.h"
#include "routing/score_functions.h"

namespace espalier {
namespace {

/// Tensors of one file, gathered before the header can be written.
class TensorList {
public:
    void add_counts(std::string name, Shape shape, std::span<const std::int64_t> values) {
        add(std::move(name), DType::I64, std::move(shape), values.size(), std::as_bytes(values));
    }
    void add_sums(std::string name, Shape shape, std::span<const double> values) {
        for (const double value : values) {
            if (!std::isfinite(value)) {
                throw Error(ErrorCode::NumberInvalid,
                            fmt::format("The statistic {} is not finite.", name),
                            "The model computes NaN or infinity on this data: check its weights.");
            }
        }
        add(std::move(name), DType::F64, std::move(shape), values.size(), std::as_bytes(values));
    }
    /// For values that nobody else keeps until write().
    void add_owned_sums(std::string name, std::vector<double> values) {
        const auto& kept = owned_.emplace_back(std::move(values));
        add_sums(std::move(name), {static_cast<std::int64_t>(kept.size())}, kept);
    }
    void add_owned_count(std::string name, std::int64_t value) {
        add_counts(std::move(name), {1}, {&owned_counts_.emplace_back(value), 1});
    }
    void write(const std::filesystem::path& path, const Json& about) const {
        SafetensorsWriter writer(path, specs_, {{"espalier", about.dump()}});
        for (std::size_t i = 0; i < specs_.size(); ++i) writer.write(specs_[i].name, bytes_[i]);
        writer.commit();
    }

private:
    void add(std::string name, DType dtype, Shape shape, std::size_t size,
             std::span<const std::byte> bytes) {
        if (num_elements(shape) != size) {
            throw Error(ErrorCode::VerifyFailed,
                        fmt::format("The statistic {} has {} values, {} were expected.", name, size,
                                    shape_text(shape)),
                        "This is a fault of Espalier: please report it.");
        }
        specs_.push_back({std::move(name), dtype, std::move(shape)});
        bytes_.push_back(bytes);
    }

    std::vector<TensorSpec> specs_;
    std::vector<std::span<const std::byte>> bytes_;
    std::deque<std::vector<double>> owned_;
    std::deque<std::int64_t> owned_counts_;
};

template <typename T>
bool is_written(const StatField<T>& field, const LayerStats& layer) {
    return field.is_required() || !(layer.*field.values).empty();
}

void add_layer(TensorList& tensors, std::int64_t index, const LayerStats& layer,
               std::int64_t experts) {
    tensors.add_owned_count(stat_tensor_name("tokens", index), layer.tokens);
    for (const auto& field : kCountFields) {
        if (!is_written(field, layer)) continue;
        tensors.add_counts(stat_tensor_name(field.name, index), stat_shape(field.extent, experts),
                           layer.*field.values);
    }
    for (const auto& field : kSumFields) {
        if (!is_written(field, layer)) continue;
        tensors.add_sums(stat_tensor_name(field.name, index), stat_shape(field.extent, experts),
                         layer.*field.values);
    }
    tensors.add_owned_sums(stat_tensor_name("reap", index),
                           mean_per_selection(layer.gated_norm_sum, layer.count));
}

/// Row `task` of a [tasks, experts] vector.
template <typename T>
std::span<const T> task_row(const std::vector<T>& values, std::size_t task, std::size_t experts) {
    if (values.size() < (task + 1) * experts) return {};
    return std::span(values).subspan(task * experts, experts);
}

void add_task(TensorList& tensors, const ExpertStats& stats, std::size_t task, std::int64_t index,
              const LayerStats& layer) {
    const std::string& label = stats.tasks[task];
    const auto experts = static_cast<std::size_t>(stats.num_experts);
    tensors.add_counts(stat_tensor_name("tokens", label, index), {1},
                       task_row(layer.task_tokens, task, 1));
    for (const auto& field : kTaskCountFields) {
        tensors.add_counts(stat_tensor_name(field.name, label, index), {stats.num_experts},
                           task_row(layer.*field.values, task, experts));
    }
    for (const auto& field : kTaskSumFields) {
        if (!is_written(field, layer)) continue;
        tensors.add_sums(stat_tensor_name(field.name, label, index), {stats.num_experts},
                         task_row(layer.*field.values, task, experts));
    }
}

template <typename Map>
Json keys_of(const Map& map) {
    Json keys = Json::array();
    for (const auto& entry : map) keys.push_back(entry.first);
    return keys;
}

Json about(const ExpertStats& stats, std::string_view kind) {
    return {{"kind", kind},
            {"version", kExpertStatsVersion},
            {"model_hash", stats.model_hash},
            {"tokenizer_hash", stats.tokenizer_hash},
            {"data_hash", stats.data_hash},
            {"num_experts", stats.num_experts},
            {"top_k", stats.top_k},
            {"tokens", stats.total_tokens()},
            {"tasks", stats.tasks},
            {"layers", keys_of(stats.layers)},
            {"matrices", keys_of(stats.input_energies)},
            {"settings", stats.settings}};
}

/// A long vector and its name in the second file.
struct LongVector {
    TensorSpec spec;
    const std::vector<double>* values;
};

void add_long(std::vector<LongVector>& list, std::string name, const std::vector<double>& values,
              std::int64_t rows) {
    if (values.empty()) return;
    const auto size = static_cast<std::int64_t>(values.size());
    Shape shape{size};
    if (rows > 0) shape = {rows, size / rows};
    list.push_back({{std::move(name), DType::F32, std::move(shape)}, &values});
}

std::vector<LongVector> long_vectors(const ExpertStats& stats) {
    std::vector<LongVector> list;
    for (const auto& [index, layer] : stats.layers) {
        const auto samples =
            static_cast<std::int64_t>(layer.router_profile.size()) / stats.num_experts;
        for (const auto& field : kVectorFields) {
            add_long(list, stat_tensor_name(field.name, index), layer.*field.values,
                     field.extent == StatExtent::Samples ? samples : stats.num_experts);
        }
    }
    for (const auto& [name, energy] : stats.input_energies) {
        add_long(list, "input_sq_sum." + name, energy.sq_sum, 0);
    }
    return list;
}

void save_vectors(const ExpertStats& stats, const std::filesystem::path& path) {
    const std::vector<LongVector> list = long_vectors(stats);
    if (list.empty()) {
        std::error_code ignored;  // usually there is none to remove
        std::filesystem::remove(path, ignored);
        return;
    }
    std::vector<TensorSpec> specs;
    for (const LongVector& entry : list) specs.push_back(entry.spec);
    SafetensorsWriter writer(path, specs, {{"espalier", about(stats, kExpertVectorsKind).dump()}});
    for (const LongVector& entry : list) {
        const std::vector<float> values(entry.values->begin(), entry.values->end());
        writer.write(entry.spec.name, std::as_bytes(std::span(values)));
    }
    writer.commit();
}

}  // namespace

std::string save_expert_stats(const ExpertStats& stats, const std::filesystem::path& path) {
    TensorList tensors;
    for (const auto& [index, layer] : stats.layers) {
        add_layer(tensors, index, layer, stats.num_experts);
        for (std::size_t task = 0; task < stats.tasks.size(); ++task) {
            add_task(tensors, stats, task, index, layer);
        }
    }
    for (const auto& [name, energy] : stats.input_energies) {
        tensors.add_owned_count("input_tokens." + name, energy.tokens);
    }
    save_vectors(stats, vectors_path(path));
    save_expert_contexts(stats, contexts_path(path));
    tensors.write(path, about(stats, kExpertStatsKind));
    return sha256_of_file(path);
}

}  // namespace espalier
