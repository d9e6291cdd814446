#include "prune/channel_plan.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <numeric>
#include <span>

#include "base/error.h"
#include "prune/rank_experts.h"
#include "routing/criterion.h"

namespace espalier {
namespace {

Error refused(const std::string& what, const std::string& hint) {
    return Error(ErrorCode::RunRecipe, what, hint);
}

/// A share is rounded to a multiple; a number must be one.
std::int64_t kept_channels(const ChannelOptions& options, std::int64_t width) {
    const std::int64_t unit = options.multiple;
    if (unit < 1 || width < unit) {
        throw refused(
            fmt::format("Experts of {} channels cannot be cut to multiples of {}.", width, unit),
            "Choose a smaller multiple.");
    }
    const std::int64_t wanted = options.keep.kept_of(width);
    const std::int64_t nearest =
        std::clamp((wanted + unit / 2) / unit * unit, unit, width / unit * unit);
    if (options.keep.ratio || wanted == nearest || wanted == width) {
        return wanted == width ? width : nearest;
    }
    throw refused(fmt::format("{} channels are no multiple of {}.", wanted, unit),
                  fmt::format("The nearest that can be kept is {}.", nearest));
}

double sum_of(std::span<const double> values) {
    return std::accumulate(values.begin(), values.end(), 0.0);
}

}  // namespace

ChannelPlan select_channels(const ExpertStats& stats, const MoeConfig& config,
                            const ChannelOptions& options) {
    ChannelPlan plan{.model_hash = stats.model_hash,
                     .stats_hash = stats.file_hash,
                     .width = config.moe_intermediate_size,
                     .kept = kept_channels(options, config.moe_intermediate_size),
                     .layers = {}};
    const auto experts = static_cast<std::size_t>(config.router.num_experts);
    const auto width = static_cast<std::size_t>(plan.width);
    const std::vector<std::int64_t> no_counts(width, 0);
    Json layers = Json::array();
    for (const std::int64_t index : config.moe_layers()) {
        const auto found = stats.layers.find(index);
        if (found == stats.layers.end() || found->second.count.size() != experts) {
            throw refused(fmt::format("The statistics have nothing about layer {}.", index),
                          "Calibrate this model.");
        }
        const std::vector<double> scores = channel_scores(found->second, options.rho);
        if (scores.size() != experts * width) {
            throw refused(fmt::format("The statistics are of experts with {} channels, the model's "
                                      "have {}.",
                                      scores.size() / experts, width),
                          "Calibrate this model.");
        }
        double kept_energy = 0;
        for (std::size_t e = 0; e < experts; ++e) {
            const auto own = std::span(scores).subspan(e * width, width);
            std::vector<std::int32_t> kept = rank_experts(own, no_counts);
            kept.resize(static_cast<std::size_t>(plan.kept));
            std::sort(kept.begin(), kept.end());
            for (const std::int32_t c : kept) kept_energy += own[static_cast<std::size_t>(c)];
            plan.layers[index].push_back(std::move(kept));
        }
        const double all = sum_of(scores);
        layers.push_back({{"layer", index}, {"energy_kept", all > 0 ? kept_energy / all : 1.0}});
    }
    plan.reasons = {{"layers", std::move(layers)}};
    return plan;
}

void require_fits(const ChannelPlan& plan, const MoeConfig& config) {
    const auto refuse = [](const std::string& what) {
        throw refused("The plan of channels does not fit the model: " + what,
                      "Choose the model that the plan was made for, or make a new plan.");
    };
    if (plan.width != config.moe_intermediate_size) {
        refuse(fmt::format("its experts have {} channels, the model's {}.", plan.width,
                           config.moe_intermediate_size));
    }
    const auto routed = config.moe_layers();
    if (plan.layers.size() != routed.size()) {
        refuse(fmt::format("it has {} layers, the model {}.", plan.layers.size(), routed.size()));
    }
    for (const std::int64_t index : routed) {
        const auto found = plan.layers.find(index);
        if (found == plan.layers.end()) refuse(fmt::format("layer {} is not in it.", index));
        if (static_cast<std::int64_t>(found->second.size()) != config.router.num_experts) {
            refuse(fmt::format("layer {} has {} experts in it, the model {}.", index,
                               found->second.size(), config.router.num_experts));
        }
    }
}

}  // namespace espalier
