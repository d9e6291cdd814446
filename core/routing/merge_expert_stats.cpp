#include <algorithm>
#include <fmt/format.h>

#include "base/error.h"
#include "routing/expert_stats.h"
#include "routing/expert_stats_fields.h"

namespace espalier {
namespace {

Error mismatch(std::size_t shard, std::string_view what) {
    return Error(ErrorCode::DataLine,
                 fmt::format("Statistics {} cannot be added to the first ones: their {} differ.",
                             shard + 1, what),
                 "Merge only the shards of one calibration, measured with the same settings.");
}

Json without_shard(Json settings) {
    if (settings.is_object()) settings.erase("shard");
    return settings;
}

void check_same_measurement(const ExpertStats& first, const ExpertStats& other, std::size_t shard) {
    if (first.model_hash != other.model_hash) throw mismatch(shard, "models");
    if (first.tokenizer_hash != other.tokenizer_hash) throw mismatch(shard, "tokenizers");
    if (first.data_hash != other.data_hash) throw mismatch(shard, "data");
    if (first.num_experts != other.num_experts || first.top_k != other.top_k) {
        throw mismatch(shard, "numbers of experts");
    }
    if (first.tasks != other.tasks) throw mismatch(shard, "task labels");
    if (without_shard(first.settings) != without_shard(other.settings)) {
        throw mismatch(shard, "settings");
    }
}

template <typename T>
void add_values(std::vector<T>& sum, const std::vector<T>& values, StatMerge merge,
                std::size_t shard) {
    if (sum.size() != values.size()) throw mismatch(shard, "kinds of statistics");
    for (std::size_t i = 0; i < sum.size(); ++i) {
        sum[i] = merge == StatMerge::Maximum ? std::max(sum[i], values[i]) : sum[i] + values[i];
    }
}

template <typename Fields>
void add_fields(LayerStats& sum, const LayerStats& layer, const Fields& fields, std::size_t shard) {
    for (const auto& field : fields) {
        add_values(sum.*field.values, layer.*field.values, field.merge, shard);
    }
}

void add_layer(LayerStats& sum, const LayerStats& layer, std::size_t shard) {
    sum.tokens += layer.tokens;
    add_fields(sum, layer, kCountFields, shard);
    add_fields(sum, layer, kSumFields, shard);
    add_fields(sum, layer, kTaskCountFields, shard);
    add_fields(sum, layer, kTaskSumFields, shard);
    add_fields(sum, layer, kVectorFields, shard);
    add_values(sum.task_tokens, layer.task_tokens, StatMerge::Sum, shard);
    // Without their file on one side there are none: half of them would mislead.
    if (sum.top_contexts.size() != layer.top_contexts.size()) sum.top_contexts.clear();
    for (std::size_t e = 0; e < sum.top_contexts.size(); ++e) {
        keep_top_contexts(sum.top_contexts[e], layer.top_contexts[e]);
    }
}

template <typename Map>
bool same_keys(const Map& a, const Map& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](const auto& x, const auto& y) { return x.first == y.first; });
}

void add_shard(ExpertStats& sum, const ExpertStats& shard, std::size_t index) {
    check_same_measurement(sum, shard, index);
    if (!same_keys(sum.layers, shard.layers)) throw mismatch(index, "layers");
    if (!same_keys(sum.input_energies, shard.input_energies)) throw mismatch(index, "matrices");
    for (auto& [layer, stats] : sum.layers) add_layer(stats, shard.layers.at(layer), index);
    for (auto& [name, energy] : sum.input_energies) {
        const InputEnergy& other = shard.input_energies.at(name);
        energy.tokens += other.tokens;
        add_values(energy.sq_sum, other.sq_sum, StatMerge::Sum, index);
    }
}

}  // namespace

ExpertStats merge_expert_stats(const std::vector<ExpertStats>& shards) {
    if (shards.empty()) {
        throw Error(ErrorCode::DataEmpty, "There are no statistics to merge.",
                    "Name at least one statistics file.");
    }
    ExpertStats sum = shards.front();
    for (std::size_t i = 1; i < shards.size(); ++i) add_shard(sum, shards[i], i);
    sum.file_hash.clear();
    if (shards.size() > 1) {
        sum.settings = without_shard(std::move(sum.settings));
        sum.settings["merged_shards"] = shards.size();
    }
    return sum;
}

}  // namespace espalier
