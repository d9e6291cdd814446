#include "prune/merge_methods.h"

#include <algorithm>
#include <fmt/format.h>
#include <string>

#include "base/error.h"
#include "prune/group_functions.h"
#include "routing/score_functions.h"

namespace espalier {
namespace {

std::vector<double> by_frequency(const LayerStats& stats) {
    return {stats.count.begin(), stats.count.end()};
}

/// REAP; experts without any get the smallest that is there, so that they count at all.
std::vector<double> by_saliency(const LayerStats& stats) {
    std::vector<double> weights = score_reap(stats, {});
    double smallest = 0;
    for (const double weight : weights) {
        if (weight > 0 && (smallest == 0 || weight < smallest)) smallest = weight;
    }
    for (double& weight : weights) weight = weight > 0 ? weight : smallest;
    return weights;
}

std::vector<double> all_alike(const LayerStats& stats) {
    return std::vector<double>(stats.count.size(), 1.0);
}

const std::vector<MergeMethod>& table() {
    static const std::vector<MergeMethod> kTable{
        {.name = "ream",
         .description = "From the best survivor down, each takes in the experts most like it in "
                        "output and routing, up to 16; weighed by saliency.",
         .group = group_ream,
         .weights = by_saliency},
        {.name = "hc_smoe",
         .description = "Clusters of experts with like mean outputs; the best of each survives; "
                        "weighed by frequency.",
         .group = group_hc_smoe,
         .weights = by_frequency},
        {.name = "m_smoe",
         .description = "Each expert joins the one of the most frequent that the router scores "
                        "most alike; weighed by frequency.",
         .group = group_m_smoe,
         .weights = by_frequency,
         .criterion = "frequency"},
        {.name = "partial",
         .description = "The better half of the survivors stays as it is; the others take in what "
                        "goes, by mean output; plain means.",
         .group = group_partial,
         .weights = all_alike},
    };
    return kTable;
}

}  // namespace

std::span<const MergeMethod> merge_methods() { return table(); }

const MergeMethod& find_merge_method(std::string_view name) {
    std::string names;
    for (const MergeMethod& row : table()) {
        if (row.name == name) return row;
        names += (names.empty() ? "" : ", ") + std::string(row.name);
    }
    throw Error(ErrorCode::RunRecipe, fmt::format("There is no way of merging \"{}\".", name),
                fmt::format("Choose one of: {}.", names));
}

}  // namespace espalier
