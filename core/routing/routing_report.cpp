#include "routing/routing_report.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <numeric>
#include <span>
#include <string_view>

#include "base/error.h"

namespace espalier {
namespace {

enum class Better { Lower, Higher };

struct Metric {
    std::string_view name;
    double LayerFidelity::*value;
    Better better = Better::Lower;
};

constexpr std::array kMetrics{
    Metric{"recall", &LayerFidelity::recall, Better::Higher},
    Metric{"jaccard", &LayerFidelity::jaccard, Better::Higher},
    Metric{"weighted_jaccard", &LayerFidelity::weighted_jaccard, Better::Higher},
    Metric{"exact", &LayerFidelity::exact, Better::Higher},
    Metric{"top1", &LayerFidelity::top1, Better::Higher},
    Metric{"displaced", &LayerFidelity::displaced},
    Metric{"lost_mass", &LayerFidelity::lost_mass},
    Metric{"untouched", &LayerFidelity::untouched, Better::Higher},
    Metric{"joined", &LayerFidelity::joined},
    Metric{"restricted_kl", &LayerFidelity::restricted_kl},
    Metric{"restricted_js", &LayerFidelity::restricted_js},
    Metric{"restricted_tv", &LayerFidelity::restricted_tv},
    Metric{"load_tv", &LayerFidelity::load_tv},
    Metric{"load_distance", &LayerFidelity::load_distance},
    Metric{"entropy_change", &LayerFidelity::entropy_change},
    Metric{"new_dead_share", &LayerFidelity::new_dead_share},
    Metric{"coactivation", &LayerFidelity::coactivation, Better::Higher},
    Metric{"base_entropy", &LayerFidelity::base_entropy},
    Metric{"router_entropy", &LayerFidelity::router_entropy},
    Metric{"base_near_margin", &LayerFidelity::base_near_margin},
    Metric{"near_margin", &LayerFidelity::near_margin},
    Metric{"group_recall", &LayerFidelity::group_recall, Better::Higher},
};

/// Of layers whose outputs were compared too.
constexpr std::array kOutputMetrics{
    Metric{"local_recall", &LayerFidelity::local_recall, Better::Higher},
    Metric{"local_exact", &LayerFidelity::local_exact, Better::Higher},
    Metric{"local_kl", &LayerFidelity::local_kl},
    Metric{"local_output_cosine", &LayerFidelity::local_output_cosine, Better::Higher},
    Metric{"local_output_error", &LayerFidelity::local_output_error},
    Metric{"output_cosine", &LayerFidelity::output_cosine, Better::Higher},
    Metric{"output_error", &LayerFidelity::output_error},
    Metric{"lost_output", &LayerFidelity::lost_output},
};

const Metric* find_metric(std::string_view name) {
    for (const Metric& metric : kMetrics) {
        if (metric.name == name) return &metric;
    }
    for (const Metric& metric : kOutputMetrics) {
        if (metric.name == name) return &metric;
    }
    return nullptr;
}

enum class Worst { Warn, Fail };

/// A line of the table in spec "routing fidelity" 5. Project defaults, not yet tuned on real
/// models.
struct Limit {
    std::string_view metric;
    double pass;
    double warn;
    Worst worst = Worst::Fail;
};

constexpr std::array kPruningLimits{
    Limit{"restricted_kl", 0.05, 0.15},
    Limit{"displaced", 0.15, 0.35, Worst::Warn},
    Limit{"entropy_change", 0.03, 0.08},
    Limit{"new_dead_share", 0.0, 0.01},
};
constexpr std::array kFineLimits{Limit{"recall", 0.93, 0.88}};
constexpr std::array kCoarseLimits{Limit{"recall", 0.85, 0.75}};
constexpr double kFineBits = 4.5;
/// For each task label, mean over the layers' worst tenth.
constexpr Limit kTaskLoadLimit{"load_tv", 0.10, 0.20};

std::span<const Limit> default_limits(const RoutingReportInput& input) {
    if (input.change == RoutingChange::Pruning) return kPruningLimits;
    if (input.change == RoutingChange::Quantization && input.bits_per_weight < kFineBits)
        return kCoarseLimits;
    return kFineLimits;
}

/// The caller's limit for a metric, or the default one.
Limit with_setting(Limit limit, const Json& settings) {
    const auto found = settings.find(std::string(limit.metric));
    if (found == settings.end()) return limit;
    limit.pass = found->at("pass").get<double>();
    limit.warn = found->at("warn").get<double>();
    return limit;
}

std::vector<Limit> limits_of(const RoutingReportInput& input) {
    std::vector<Limit> limits;
    for (const Limit& limit : default_limits(input)) {
        limits.push_back(with_setting(limit, input.limits));
    }
    for (const auto& [name, setting] : input.limits.items()) {
        const auto is_same = [&](const Limit& limit) { return limit.metric == name; };
        if (name == kTaskLoadLimit.metric || std::any_of(limits.begin(), limits.end(), is_same)) {
            continue;
        }
        limits.push_back(with_setting({find_metric(name)->name, 0, 0}, input.limits));
    }
    return limits;
}

/// A layer's metric, what the floor says of it, and how much worse it is.
struct Judged {
    std::int64_t layer = 0;
    double value = 0;
    double floor = 0;
    double excess = 0;  ///< above the floor, in the bad direction, at least 0
};

/// How far a value is from that of an unchanged model.
double badness(const Metric& metric, double value) {
    return metric.better == Better::Higher ? 1.0 - value : std::abs(value);
}

/// The layers in which a metric is worst: a tenth, at least one.
std::vector<Judged> worst_tenth(const std::vector<LayerFidelity>& layers, const Metric& metric,
                                const RoutingFloor& floor) {
    std::vector<Judged> judged;
    for (const LayerFidelity& layer : layers) {
        Judged entry{layer.layer, layer.*metric.value, 0, 0};
        for (const LayerFidelity& unchanged : floor.kernels) {
            if (unchanged.layer == layer.layer) {
                entry.floor = badness(metric, unchanged.*metric.value);
            }
        }
        entry.excess = std::max(0.0, badness(metric, entry.value) - entry.floor);
        judged.push_back(entry);
    }
    std::stable_sort(judged.begin(), judged.end(),
                     [](const Judged& a, const Judged& b) { return a.excess > b.excess; });
    judged.resize(std::max<std::size_t>(1, judged.size() / 10));
    return judged;
}

std::string_view verdict_of(double excess, const Metric& metric, const Limit& limit) {
    // Limits are given as the metric itself.
    constexpr double kRounding = 1e-12;
    const auto within = [&](double bound) { return excess <= badness(metric, bound) + kRounding; };
    if (within(limit.pass)) return "pass";
    return within(limit.warn) || limit.worst == Worst::Warn ? "warn" : "fail";
}

Json judged(const std::vector<LayerFidelity>& layers, const Limit& limit,
            const RoutingFloor& floor) {
    const Metric& metric = *find_metric(limit.metric);
    const auto worst = worst_tenth(layers, metric, floor);
    Judged sum;
    Json indices = Json::array();
    for (const Judged& layer : worst) {
        sum.value += layer.value;
        sum.floor += layer.floor;
        sum.excess += layer.excess;
        indices.push_back(layer.layer);
    }
    const auto count = static_cast<double>(worst.size());
    const double excess = sum.excess / count;
    return {{"metric", limit.metric},     {"value", sum.value / count},
            {"floor", sum.floor / count}, {"excess", excess},
            {"layers", indices},          {"pass", limit.pass},
            {"warn", limit.warn},         {"verdict", verdict_of(excess, metric, limit)}};
}

/// Of each metric, over layers: what `pick` makes of its values, which it may reorder.
template <typename Pick>
Json over_layers(const std::vector<LayerFidelity>& layers, Pick&& pick) {
    Json json = Json::object();
    if (layers.empty()) return json;
    const auto add = [&](const Metric& metric) {
        std::vector<double> values;
        for (const LayerFidelity& layer : layers) values.push_back(layer.*metric.value);
        json[std::string(metric.name)] = pick(values);
    };
    for (const Metric& metric : kMetrics) add(metric);
    if (layers.front().has_outputs) {
        for (const Metric& metric : kOutputMetrics) add(metric);
    }
    return json;
}

Json mean_of(const std::vector<LayerFidelity>& layers) {
    return over_layers(layers, [](const std::vector<double>& values) {
        return std::accumulate(values.begin(), values.end(), 0.0) /
               static_cast<double>(values.size());
    });
}

Json median_of(const std::vector<LayerFidelity>& layers) {
    return over_layers(layers, [](std::vector<double>& values) {
        const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
        std::nth_element(values.begin(), middle, values.end());
        if (values.size() % 2 == 1) return *middle;
        return 0.5 * (*middle + *std::max_element(values.begin(), middle));
    });
}

Json floor_json(const RoutingFloor& floor) {
    if (floor.kernels.empty()) return nullptr;
    return {{"a", 0.0},
            {"b", mean_of(floor.kernels)},
            {"c", mean_of(floor.router)},
            {"flip_any", floor.flip_any},
            {"tokens", floor.kernels.front().tokens}};
}

Json shape_json(const LoadShape& shape) {
    return {{"entropy", shape.entropy},
            {"variation", shape.variation},
            {"gini", shape.gini},
            {"dead", shape.dead},
            {"rare", shape.rare}};
}

constexpr const char* kUnmeasuredNote = "not measured: the figures stand as they are";
constexpr const char* kFloorNote =
    "a: the same kernels twice give the same bits, so 0. b: the reference against itself with the "
    "rounded arithmetic of generation. c: router logits in bfloat16, layer by layer. Excess over b "
    "is judged.";
constexpr const char* kFlipNote =
    "share of tokens with other experts in any layer; near 1 for harmless changes too: never "
    "judged";

Json thresholds_of(std::span<const Limit> limits) {
    Json thresholds = Json::object();
    for (const Limit& limit : limits) {
        thresholds[std::string(limit.metric)] = {{"pass", limit.pass}, {"warn", limit.warn}};
    }
    return thresholds;
}

std::string worst_verdict(const Json& judgements) {
    std::string worst = "pass";
    for (const Json& entry : judgements) {
        const std::string verdict = entry.at("verdict");
        if (verdict == "fail" || (verdict == "warn" && worst == "pass")) worst = verdict;
    }
    return worst;
}

}  // namespace

Json to_json(const LayerFidelity& layer) {
    Json json = {{"layer", layer.layer}, {"tokens", layer.tokens}};
    for (const Metric& metric : kMetrics) json[std::string(metric.name)] = layer.*metric.value;
    if (layer.has_outputs) {
        for (const Metric& metric : kOutputMetrics) {
            json[std::string(metric.name)] = layer.*metric.value;
        }
    }
    json["new_dead"] = layer.new_dead;
    json["base_shape"] = shape_json(layer.base_shape);
    json["shape"] = shape_json(layer.shape);
    json["base_load"] = layer.base_load;
    json["load"] = layer.load;
    Json margins = Json::array();
    for (std::size_t b = 0; b < kNumMarginBuckets; ++b) {
        Json bucket = {{"below", nullptr},
                       {"tokens", layer.margin_tokens[b]},
                       {"flips", layer.margin_flips[b]},
                       {"rate", nullptr}};
        if (layer.margin_tokens[b] > 0) {
            bucket["rate"] = static_cast<double>(layer.margin_flips[b]) /
                             static_cast<double>(layer.margin_tokens[b]);
        }
        if (b < kMarginEnds.size()) bucket["below"] = kMarginEnds[b];
        margins.push_back(std::move(bucket));
    }
    json["flips_by_margin"] = std::move(margins);
    return json;
}

std::string routing_failures(const Json& report) {
    std::string text;
    for (const Json& entry : report.at("worst")) {
        if (entry.at("verdict") != "fail") continue;
        const auto layers = entry.at("layers").get<std::vector<std::int64_t>>();
        text += fmt::format("{}{} {:.3g} in layer{} {}{} (limit {:.3g})", text.empty() ? "" : ", ",
                            entry.at("metric").get<std::string>(), entry.at("value").get<double>(),
                            layers.size() == 1 ? "" : "s", fmt::join(layers, ", "),
                            entry.contains("task")
                                ? fmt::format(" for {}", entry.at("task").get<std::string>())
                                : "",
                            entry.at("warn").get<double>());
    }
    return text;
}

void validate_routing_limits(const Json& limits) {
    const auto refuse = [](const std::string& what) {
        throw Error(ErrorCode::RunRecipe, what,
                    R"(Write limits as {"recall": {"pass": 0.93, "warn": 0.88}}.)");
    };
    if (!limits.is_object()) refuse("Limits for routing must be an object.");
    for (const auto& [name, limit] : limits.items()) {
        if (find_metric(name) == nullptr) {
            refuse(fmt::format("There is no routing metric \"{}\".", name));
        }
        const auto is_number = [&limit](const char* key) {
            return limit.contains(key) && limit.at(key).is_number();
        };
        if (!limit.is_object() || !is_number("pass") || !is_number("warn")) {
            refuse(fmt::format("The limit for \"{}\" is {}.", name, limit.dump()));
        }
    }
}

Json routing_report(const RoutingReportInput& input) {
    validate_routing_limits(input.limits);
    Json report = {{"probe_hash", input.probe_hash},
                   {"reference", input.reference},
                   {"restricted", input.change == RoutingChange::Pruning},
                   {"floor", floor_json(input.floor)},
                   {"floor_note", input.floor.kernels.empty() ? kUnmeasuredNote : kFloorNote},
                   {"flip_any", input.flip_any},
                   {"flip_note", kFlipNote},
                   {"mean", mean_of(input.layers)},
                   {"median", median_of(input.layers)},
                   {"per_layer", Json::array()},
                   {"per_task", Json::object()},
                   {"worst", Json::array()}};
    for (const LayerFidelity& layer : input.layers) report["per_layer"].push_back(to_json(layer));
    for (const auto& [task, layers] : input.tasks) report["per_task"][task] = mean_of(layers);
    const auto limits = limits_of(input);
    report["thresholds"] = thresholds_of(limits);
    if (input.layers.empty()) {
        report["verdict"] = nullptr;  // no routed layer in common: nothing was measured
        return report;
    }
    for (const Limit& limit : limits)
        report["worst"].push_back(judged(input.layers, limit, input.floor));
    if (input.change == RoutingChange::Pruning) {
        const Limit limit = with_setting(kTaskLoadLimit, input.limits);
        for (const auto& [task, layers] : input.tasks) {
            Json entry = judged(layers, limit, input.floor);
            entry["task"] = task;
            report["worst"].push_back(std::move(entry));
        }
        report["thresholds"][std::string(limit.metric)] = {{"pass", limit.pass},
                                                           {"warn", limit.warn}};
    }
    report["verdict"] = worst_verdict(report["worst"]);
    return report;
}

}  // namespace espalier
