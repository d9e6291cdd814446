#include "ui/bridge/expert_data.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "base/error.h"
#include "model/model_source.h"
#include "pipeline/stats_for_model.h"
#include "routing/criterion.h"
#include "ui/bridge/compress_draft.h"

namespace espalier::ui {
namespace {

bool haveSameShape(const ExpertStats& stats, const MoeConfig& config) {
    if (stats.num_experts != config.router.num_experts) return false;
    const auto routed = config.moe_layers();
    return std::all_of(routed.begin(), routed.end(), [&](std::int64_t layer) {
        const auto found = stats.layers.find(layer);
        return found != stats.layers.end() &&
               found->second.count.size() == static_cast<std::size_t>(stats.num_experts);
    });
}

/// In the numbering of the model, or as they are where the weights are others.
void takeStats(ExpertData& data, const ModelSource& model) {
    ExpertStats stats = load_expert_stats(data.statsPath.toStdString(), true);
    load_expert_contexts(data.statsPath.toStdString(), stats);
    try {
        data.stats = stats_for_model(stats, model);
    } catch (const Error&) {
        data.stats = std::move(stats);
        data.isOtherRevision = true;
    }
    if (haveSameShape(data.stats, data.config)) return;
    throw Error(
        ErrorCode::RunRecipe,
        fmt::format("These statistics are of a model with {} experts in {} layers, {} has "
                    "{} in {}.",
                    data.stats.num_experts, data.stats.layers.size(), data.modelName.toStdString(),
                    data.config.router.num_experts, data.config.moe_layers().size()),
        "Choose the model that was measured, or collect statistics of this one.");
}

bool suffices(const ExpertStats& stats, const Criterion& criterion) {
    try {
        for (const auto& [layer, row] : stats.layers) criterion.score(row, {layer, 0});
    } catch (const Error&) {
        return false;  // it was not gathered
    }
    return true;
}

/// What goes with one expert of each layer: its matrices and its rows of the router.
void takeSizes(ExpertData& data, const ModelSource& model) {
    std::map<std::int64_t, std::uint64_t> layers;
    for (const NamedTensor& tensor : model.stored_tensors()) {
        data.modelBytes += tensor.view.bytes.size();
        const auto key = model.role_of(tensor.name);
        if (key && (is_expert_role(key->role) || is_router_role(key->role)))
            layers[key->layer] += tensor.view.bytes.size();
    }
    for (const auto& [layer, bytes] : layers)
        data.expertBytes[layer] = bytes / static_cast<std::uint64_t>(data.numExperts());
}

void takeRouterNorms(ExpertData& data, const ModelSource& model) {
    const auto experts = static_cast<std::size_t>(data.numExperts());
    const auto hidden = static_cast<std::size_t>(data.config.hidden_size);
    std::vector<float> rows(experts * hidden);
    for (const std::int64_t layer : data.config.moe_layers()) {
        model.decode({TensorRole::Router, static_cast<std::int32_t>(layer)}, rows);
        auto& norms = data.routerNorms[layer];
        for (std::size_t e = 0; e < experts; ++e) {
            double sum = 0;
            for (std::size_t i = 0; i < hidden; ++i)
                sum += static_cast<double>(rows[e * hidden + i]) * rows[e * hidden + i];
            norms.push_back(std::sqrt(sum));
        }
    }
}

}  // namespace

LayerScores ExpertData::scores(std::string_view criterion, std::optional<std::size_t> task) const {
    const Criterion& rule = find_criterion(criterion);
    LayerScores result;
    for (const std::int64_t layer : config.moe_layers()) {
        const LayerStats& row = stats.layers.at(layer);
        result[layer] = rule.score(task ? task_stats(row, *task) : row, {layer, 0});
    }
    return result;
}

bool ExpertData::hasCriterion(std::string_view name) const {
    return std::find(criteria.begin(), criteria.end(), name) != criteria.end();
}

bool ExpertData::canMerge() const {
    return std::all_of(stats.layers.begin(), stats.layers.end(), [](const auto& layer) {
        const LayerStats& row = layer.second;
        return !row.router_profile.empty() && !row.input_sample.empty() &&
               !row.gated_output_sum.empty();
    });
}

bool ExpertData::canCompensate() const {
    return has_probability_gates(config.router) && hasStats() &&
           std::none_of(stats.layers.begin(), stats.layers.end(),
                        [](const auto& layer) { return layer.second.router_mass.empty(); });
}

ExpertDataPtr readExpertData(const ExpertDataRequest& request) {
    const auto model = ModelSource::open(request.model.toStdString());
    auto data = std::make_shared<ExpertData>();
    data->model = request.model;
    data->modelName = modelName(request.model);
    data->config = model->config();
    data->statsPath = request.stats;
    data->data = request.data;
    if (data->config.moe_layers().empty()) {
        throw Error(ErrorCode::RunRecipe,
                    fmt::format("{} has no experts.", data->modelName.toStdString()),
                    "Choose a Mixture-of-Experts model.");
    }
    if (data->config.is_native()) {
        throw Error(ErrorCode::RunRecipe,
                    fmt::format("{} was cut into Espalier's own format: its layers differ, and "
                                "it cannot be cut again.",
                                data->modelName.toStdString()),
                    "Choose the model that it was made from.");
    }
    data->modelHash = model->hash();
    data->memory = memory_need(data->config);
    takeSizes(*data, *model);
    takeRouterNorms(*data, *model);
    if (!data->hasStats()) return data;
    takeStats(*data, *model);
    for (const Criterion& criterion : criteria()) {
        if (suffices(data->stats, criterion)) data->criteria.emplace_back(criterion.name);
    }
    return data;
}

}  // namespace espalier::ui
