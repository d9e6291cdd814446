#include "routing/routing_report.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <string_view>

namespace espalier {
namespace {

struct Metric {
    const char* name;
    double LayerFidelity::*value;
};

constexpr std::array kMetrics{
    Metric{"recall", &LayerFidelity::recall},
    Metric{"jaccard", &LayerFidelity::jaccard},
    Metric{"weighted_jaccard", &LayerFidelity::weighted_jaccard},
    Metric{"exact", &LayerFidelity::exact},
    Metric{"top1", &LayerFidelity::top1},
    Metric{"displaced", &LayerFidelity::displaced},
    Metric{"lost_mass", &LayerFidelity::lost_mass},
    Metric{"untouched", &LayerFidelity::untouched},
    Metric{"joined", &LayerFidelity::joined},
    Metric{"restricted_kl", &LayerFidelity::restricted_kl},
    Metric{"restricted_js", &LayerFidelity::restricted_js},
    Metric{"restricted_tv", &LayerFidelity::restricted_tv},
    Metric{"load_tv", &LayerFidelity::load_tv},
    Metric{"load_distance", &LayerFidelity::load_distance},
    Metric{"entropy_change", &LayerFidelity::entropy_change},
};

enum class Better { Lower, Higher };
enum class Worst { Warn, Fail };

/// A line of the table in spec "routing fidelity" 5. Project defaults, not yet tuned on real
/// models.
struct Limit {
    const char* metric;
    double LayerFidelity::*value;
    double pass;
    double warn;
    Better better = Better::Lower;
    Worst worst = Worst::Fail;
};

constexpr std::array kPruningLimits{
    Limit{"restricted_kl", &LayerFidelity::restricted_kl, 0.05, 0.15},
    Limit{"displaced", &LayerFidelity::displaced, 0.15, 0.35, Better::Lower, Worst::Warn},
    Limit{"entropy_change", &LayerFidelity::entropy_change, 0.03, 0.08},
};
constexpr std::array kFineLimits{
    Limit{"recall", &LayerFidelity::recall, 0.93, 0.88, Better::Higher},
};
constexpr std::array kCoarseLimits{
    Limit{"recall", &LayerFidelity::recall, 0.85, 0.75, Better::Higher},
};
constexpr double kFineBits = 4.5;
/// For each task label, mean over the layers' worst tenth.
constexpr Limit kTaskLoadLimit{"load_tv", &LayerFidelity::load_tv, 0.10, 0.20};

std::span<const Limit> limits_of(const RoutingReportInput& input) {
    if (input.change == RoutingChange::Pruning) return kPruningLimits;
    if (input.change == RoutingChange::Quantization && input.bits_per_weight < kFineBits)
        return kCoarseLimits;
    return kFineLimits;
}

/// The layers in which a metric is worst: a tenth, at least one.
std::vector<LayerFidelity> worst_tenth(std::vector<LayerFidelity> layers, const Limit& limit) {
    const auto badness = [&limit](const LayerFidelity& layer) {
        return limit.better == Better::Higher ? -(layer.*limit.value)
                                              : std::abs(layer.*limit.value);
    };
    std::stable_sort(
        layers.begin(), layers.end(),
        [&](const LayerFidelity& a, const LayerFidelity& b) { return badness(a) > badness(b); });
    layers.resize(std::max<std::size_t>(1, layers.size() / 10));
    return layers;
}

std::string_view verdict_of(double value, const Limit& limit) {
    const auto within = [&](double bound) {
        return limit.better == Better::Higher ? value >= bound : std::abs(value) <= bound;
    };
    if (within(limit.pass)) return "pass";
    return within(limit.warn) || limit.worst == Worst::Warn ? "warn" : "fail";
}

Json judged(const std::vector<LayerFidelity>& layers, const Limit& limit) {
    const auto worst = worst_tenth(layers, limit);
    double sum = 0.0;
    Json indices = Json::array();
    for (const LayerFidelity& layer : worst) {
        sum += layer.*limit.value;
        indices.push_back(layer.layer);
    }
    const double value = sum / static_cast<double>(worst.size());
    return {{"metric", limit.metric}, {"value", value},     {"layers", indices},
            {"pass", limit.pass},     {"warn", limit.warn}, {"verdict", verdict_of(value, limit)}};
}

Json mean_of(const std::vector<LayerFidelity>& layers) {
    Json mean = Json::object();
    for (const Metric& metric : kMetrics) {
        double sum = 0.0;
        for (const LayerFidelity& layer : layers) sum += layer.*metric.value;
        if (!layers.empty()) mean[metric.name] = sum / static_cast<double>(layers.size());
    }
    return mean;
}

Json thresholds_of(std::span<const Limit> limits) {
    Json thresholds = Json::object();
    for (const Limit& limit : limits) {
        thresholds[limit.metric] = {{"pass", limit.pass}, {"warn", limit.warn}};
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
    for (const Metric& metric : kMetrics) json[metric.name] = layer.*metric.value;
    json["new_dead"] = layer.new_dead;
    Json margins = Json::array();
    for (std::size_t b = 0; b < kNumMarginBuckets; ++b) {
        Json bucket = {{"below", nullptr},
                       {"tokens", layer.margin_tokens[b]},
                       {"flips", layer.margin_flips[b]}};
        if (b < kMarginEnds.size()) bucket["below"] = kMarginEnds[b];
        margins.push_back(std::move(bucket));
    }
    json["flips_by_margin"] = std::move(margins);
    return json;
}

Json routing_report(const RoutingReportInput& input) {
    Json report = {{"probe_hash", input.probe_hash},
                   {"reference", input.reference},
                   {"restricted", input.change == RoutingChange::Pruning},
                   {"floor", nullptr},
                   {"floor_note", "not measured: the figures stand as they are"},
                   {"mean", mean_of(input.layers)},
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
    for (const Limit& limit : limits) report["worst"].push_back(judged(input.layers, limit));
    if (input.change == RoutingChange::Pruning) {
        for (const auto& [task, layers] : input.tasks) {
            Json entry = judged(layers, kTaskLoadLimit);
            entry["task"] = task;
            report["worst"].push_back(std::move(entry));
        }
        report["thresholds"][kTaskLoadLimit.metric] = {{"pass", kTaskLoadLimit.pass},
                                                       {"warn", kTaskLoadLimit.warn}};
    }
    report["verdict"] = worst_verdict(report["worst"]);
    return report;
}

}  // namespace espalier
