#include "prune/task_mix.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <numeric>

#include "base/error.h"

namespace espalier {
namespace {

Error refused(const std::string& what, const std::string& hint) {
    return Error(ErrorCode::RunRecipe, what, hint);
}

std::string joined(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
}

std::string task_criteria() {
    std::vector<std::string> names;
    for (const Criterion& criterion : criteria()) {
        if (criterion.has_tasks) names.emplace_back(criterion.name);
    }
    return joined(names);
}

}  // namespace

std::vector<double> weights_of_tasks(const ExpertStats& stats,
                                     const std::map<std::string, double>& named) {
    if (stats.tasks.empty()) {
        throw refused("The statistics know no tasks, so that none can have a weight.",
                      "Calibrate with `--data TASK=FILE` for each task.");
    }
    std::vector<double> weights(stats.tasks.size(), named.empty() ? 1.0 : 0.0);
    for (const auto& [task, weight] : named) {
        const auto found = std::find(stats.tasks.begin(), stats.tasks.end(), task);
        if (found == stats.tasks.end()) {
            throw refused(fmt::format("The statistics know no task \"{}\".", task),
                          fmt::format("Choose from: {}.", joined(stats.tasks)));
        }
        if (!(weight >= 0) || !std::isfinite(weight)) {
            throw refused(fmt::format("The weight of the task \"{}\" is {}.", task, weight),
                          "Give a number from 0.");
        }
        weights[static_cast<std::size_t>(found - stats.tasks.begin())] = weight;
    }
    if (std::accumulate(weights.begin(), weights.end(), 0.0) > 0) return weights;
    throw refused("No task has a weight above 0.", "Give at least one task some weight.");
}

std::vector<double> rank_normalised(const std::vector<double>& scores) {
    std::vector<std::size_t> order(scores.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
    std::vector<double> ranks(scores.size(), 0.0);
    const double last = std::max(1.0, static_cast<double>(scores.size()) - 1);
    for (std::size_t begin = 0; begin < order.size();) {
        std::size_t end = begin + 1;
        while (end < order.size() && scores[order[end]] == scores[order[begin]]) ++end;
        const double place = static_cast<double>(begin + end - 1) / 2;
        for (std::size_t i = begin; i < end; ++i) ranks[order[i]] = place / last;
        begin = end;
    }
    return ranks;
}

std::vector<double> mixed_scores(const LayerStats& layer, const Criterion& criterion,
                                 const std::vector<double>& weights,
                                 const CriterionContext& context) {
    if (!criterion.has_tasks) {
        throw refused(fmt::format("The criterion {} is not measured task by task.", criterion.name),
                      fmt::format("Choose one of: {}.", task_criteria()));
    }
    std::vector<double> mixed(layer.count.size(), 0.0);
    for (std::size_t task = 0; task < weights.size(); ++task) {
        if (weights[task] == 0) continue;
        const auto ranks = rank_normalised(criterion.score(task_stats(layer, task), context));
        for (std::size_t e = 0; e < ranks.size(); ++e) mixed[e] += weights[task] * ranks[e];
    }
    return mixed;
}

TaskShares task_shares(const LayerStats& layer, const std::vector<double>& weights) {
    TaskShares shares;
    for (std::size_t task = 0; task < weights.size(); ++task) {
        if (weights[task] == 0) continue;
        std::vector<double> mass = task_stats(layer, task).gated_norm_sum;
        const double total = std::accumulate(mass.begin(), mass.end(), 0.0);
        if (total <= 0) continue;
        for (double& value : mass) value /= total;
        shares.push_back(std::move(mass));
    }
    return shares;
}

}  // namespace espalier
