#include "prune/diff_experts.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <fmt/format.h>
#include <limits>
#include <numeric>
#include <set>

#include "base/cancel.h"
#include "base/error.h"

namespace espalier {
namespace {

/// Values of a gate matrix that stand for the expert: those of two unrelated experts are as far
/// apart as random vectors of that length.
constexpr std::size_t kSampleSize = 4096;
/// Squared distance over the squared length from which on nothing is the same expert any more:
/// unrelated ones are at 2, a quantisation to 2 bits at 0.1.
constexpr double kUnrelated = 0.5;

using Sample = std::vector<float>;

/// Evenly spaced values of a gate matrix.
Sample sample_of(const ModelSource& model, std::int32_t layer, std::int32_t expert,
                 std::vector<float>& scratch) {
    const TensorKey key{TensorRole::ExpertGate, layer, expert};
    scratch.resize(static_cast<std::size_t>(*num_elements(model.shape(key))));
    model.decode(key, scratch);
    const std::size_t count = std::min(kSampleSize, scratch.size());
    Sample sample(count);
    for (std::size_t i = 0; i < count; ++i) sample[i] = scratch[i * scratch.size() / count];
    return sample;
}

std::vector<Sample> samples_of(const ModelSource& model, std::int64_t layer) {
    std::vector<Sample> samples;
    std::vector<float> scratch;
    for (std::int32_t e = 0; e < model.config().router.num_experts; ++e) {
        samples.push_back(sample_of(model, static_cast<std::int32_t>(layer), e, scratch));
    }
    return samples;
}

double relative_distance(const Sample& a, const Sample& b) {
    double difference = 0;
    double lengths = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const double x = static_cast<double>(a[i]);
        const double y = static_cast<double>(b[i]);
        difference += (x - y) * (x - y);
        lengths += (x * x + y * y) / 2;
    }
    return lengths == 0 ? 0.0 : difference / lengths;
}

bool has_equal_bytes(const ModelSource& original, const ModelSource& cut, TensorKey key,
                     std::int32_t original_expert) {
    TensorKey before = key;
    before.expert = original_expert;
    const auto a = original.stored(before);
    const auto b = cut.stored(key);
    if (!a || !b || a->view.dtype != b->view.dtype || a->rows != b->rows) return false;
    if (a->row_places != b->row_places || a->view.bytes.size() != b->view.bytes.size())
        return false;
    return std::memcmp(a->view.bytes.data(), b->view.bytes.data(), b->view.bytes.size()) == 0;
}

bool is_equal_layer(const ModelSource& original, const ModelSource& cut, std::int32_t layer,
                    const std::vector<std::int32_t>& experts) {
    for (std::size_t e = 0; e < experts.size(); ++e) {
        for (const TensorRole role :
             {TensorRole::ExpertGate, TensorRole::ExpertUp, TensorRole::ExpertDown}) {
            const TensorKey key{role, layer, static_cast<std::int32_t>(e)};
            if (!has_equal_bytes(original, cut, key, experts[e])) return false;
        }
    }
    return true;
}

Error not_a_cut(const std::string& what) {
    return Error(ErrorCode::RunRecipe, what,
                 "Choose the model that this one was cut from; merged experts have no single "
                 "origin.");
}

void check_shapes(const ModelSource& original, const ModelSource& cut) {
    const MoeConfig& a = original.config();
    const MoeConfig& b = cut.config();
    if (a.moe_layers() != b.moe_layers() || a.hidden_size != b.hidden_size ||
        a.moe_layers().empty()) {
        throw not_a_cut(
            fmt::format("{} and {} differ in more than their experts, or have none: {} and {} "
                        "routed layers, hidden size {} and {}.",
                        original.name(), cut.name(), a.moe_layers().size(), b.moe_layers().size(),
                        a.hidden_size, b.hidden_size));
    }
    if (b.router.num_experts > a.router.num_experts) {
        throw not_a_cut(fmt::format("{} has more experts a layer than {}: {} and {}.", cut.name(),
                                    original.name(), b.router.num_experts, a.router.num_experts));
    }
    const auto layer = static_cast<std::int32_t>(a.moe_layers().front());
    const TensorKey key{TensorRole::ExpertGate, layer, 0};
    if (original.shape(key) != cut.shape(key)) {
        throw not_a_cut(fmt::format("The experts of {} and {} are not of the same size.",
                                    original.name(), cut.name()));
    }
}

LayerDiff diff_layer(const ModelSource& original, const ModelSource& cut, std::int64_t layer) {
    const std::vector<Sample> before = samples_of(original, layer);
    const std::vector<Sample> after = samples_of(cut, layer);
    LayerDiff diff;
    std::map<std::int32_t, std::size_t> taken;
    for (std::size_t e = 0; e < after.size(); ++e) {
        std::int32_t nearest = 0;
        double best = std::numeric_limits<double>::infinity();
        double second = best;
        for (std::size_t o = 0; o < before.size(); ++o) {
            const double distance = relative_distance(after[e], before[o]);
            if (distance < best) {
                second = best;
                best = distance;
                nearest = static_cast<std::int32_t>(o);
            } else {
                second = std::min(second, distance);
            }
        }
        if (best > kUnrelated) {
            throw not_a_cut(
                fmt::format("Expert {} of layer {} of {} resembles no expert of {}: the nearest, "
                            "{}, differs by {:.0f} % of its size.",
                            e, layer, cut.name(), original.name(), nearest, 100 * std::sqrt(best)));
        }
        const auto [place, is_new] = taken.emplace(nearest, e);
        if (!is_new) {
            throw not_a_cut(
                fmt::format("Experts {} and {} of layer {} of {} both resemble expert {} of {}.",
                            place->second, e, layer, cut.name(), nearest, original.name()));
        }
        diff.original.push_back(nearest);
        diff.certainty.push_back(second > 0 ? 1 - best / second : 0.0);
    }
    diff.is_equal = is_equal_layer(original, cut, static_cast<std::int32_t>(layer), diff.original);
    return diff;
}

}  // namespace

std::map<std::int64_t, LayerDiff> diff_experts(
    const ModelSource& original, const ModelSource& cut,
    const std::function<void(std::size_t done, std::size_t total)>& progress,
    std::stop_token stop) {
    if (original.config().is_native() || cut.config().is_native()) {
        throw Error(ErrorCode::RunRecipe,
                    "Experts of native models, whose layers differ, are not compared by weights.",
                    "A native folder lists them in its espalier.json.");
    }
    check_shapes(original, cut);
    std::map<std::int64_t, LayerDiff> diff;
    const auto layers = original.config().moe_layers();
    for (const std::int64_t layer : layers) {
        throw_if_stopped(stop);
        diff[layer] = diff_layer(original, cut, layer);
        original.release_layer(static_cast<std::int32_t>(layer));
        cut.release_layer(static_cast<std::int32_t>(layer));
        if (progress) progress(diff.size(), layers.size());
    }
    return diff;
}

ExpertPlan plan_of_diff(const ModelSource& original,
                        const std::map<std::int64_t, LayerDiff>& diff) {
    ExpertPlan plan;
    plan.model_hash = original.hash();
    plan.criterion = "diff";
    Json layers = Json::array();
    for (const auto& [layer, row] : diff) {
        auto& kept = plan.layers[layer].kept;
        kept = row.original;
        std::sort(kept.begin(), kept.end());
        layers.push_back(
            {{"layer", layer},
             {"experts", row.original},
             {"equal", row.is_equal},
             {"certainty", *std::min_element(row.certainty.begin(), row.certainty.end())}});
    }
    plan.reasons = {{"diff", std::move(layers)}};
    return plan;
}

}  // namespace espalier
