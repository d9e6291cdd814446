#include "ui/bridge/plan_json.h"

#include <algorithm>
#include <fmt/format.h>
#include <string>
#include <string_view>

#include "base/error.h"

namespace espalier::ui {
namespace {

constexpr std::string_view digits = "0123456789abcdef";

/// @param ids ascending
std::string bitsOf(const std::vector<std::int32_t>& ids) {
    std::string text(ids.empty() ? 0 : static_cast<std::size_t>(ids.back() / 4 + 1), '0');
    for (const std::int32_t id : ids) {
        char& digit = text[static_cast<std::size_t>(id / 4)];
        digit = digits[digits.find(digit) | (std::size_t{1} << (id % 4))];
    }
    return text;
}

std::vector<std::int32_t> idsOf(const std::string& bits) {
    std::vector<std::int32_t> ids;
    for (std::size_t i = 0; i < bits.size(); ++i) {
        const std::size_t digit = digits.find(bits[i]);
        for (std::size_t bit = 0; bit < 4 && digit != std::string_view::npos; ++bit) {
            if ((digit >> bit & 1U) != 0) ids.push_back(static_cast<std::int32_t>(4 * i + bit));
        }
    }
    return ids;
}

std::vector<std::int32_t> marksFrom(const Json& layer, const char* name) {
    auto ids = layer.value(name, std::vector<std::int32_t>());
    std::sort(ids.begin(), ids.end());
    if (ids.empty() || ids.front() >= 0) return ids;
    throw Error(ErrorCode::FileMalformed,
                fmt::format("A measured plan marks the expert {}.", ids.front()),
                "Load another plan.");
}

Json toJson(const MaskCost& cost) {
    return {{"kl", cost.kl},
            {"top1", cost.top1},
            {"perplexity", cost.perplexity},
            {"tokens", cost.tokens}};
}

MaskCost costFrom(const Json& json) {
    return {.kl = json.at("kl").get<double>(),
            .top1 = json.at("top1").get<double>(),
            .perplexity = json.at("perplexity").get<double>(),
            .tokens = json.at("tokens").get<std::int64_t>()};
}

Json toJson(const MaskMeasurement& measured) {
    Json tasks = Json::array();
    for (const MaskCost& task : measured.tasks) tasks.push_back(toJson(task));
    return {{"all", toJson(measured.all)}, {"tasks", std::move(tasks)}};
}

MaskMeasurement measurementFrom(const Json& json, std::size_t numTasks) {
    MaskMeasurement measured{.all = costFrom(json.at("all")), .tasks = {}};
    for (const Json& task : json.at("tasks")) measured.tasks.push_back(costFrom(task));
    measured.tasks.resize(numTasks);
    return measured;
}

Json toJson(const ProbeReading& reading) {
    Json json = {{"tasks", reading.tasks},
                 {"cost", toJson(reading.cost)},
                 {"whole", toJson(reading.whole)},
                 {"seconds", reading.seconds}};
    if (reading.routing) {
        json["routing"] = {{"verdict", reading.routing->verdict},
                           {"recall", reading.routing->recall},
                           {"displaced", reading.routing->displaced},
                           {"worst_recall", reading.routing->worstRecall},
                           {"worst_layer", reading.routing->worstLayer}};
    }
    return json;
}

ProbeReading readingFrom(const Json& json) {
    ProbeReading reading;
    reading.tasks = json.at("tasks").get<std::vector<std::string>>();
    reading.cost = measurementFrom(json.at("cost"), reading.tasks.size());
    reading.whole = measurementFrom(json.at("whole"), reading.tasks.size());
    reading.seconds = json.at("seconds").get<double>();
    reading.share = 1;
    if (const auto found = json.find("routing"); found != json.end()) {
        reading.routing = ProbeRouting{.verdict = found->at("verdict").get<std::string>(),
                                       .recall = found->at("recall").get<double>(),
                                       .displaced = found->at("displaced").get<double>(),
                                       .worstRecall = found->at("worst_recall").get<double>(),
                                       .worstLayer = found->at("worst_layer").get<std::int64_t>()};
    }
    return reading;
}

}  // namespace

Json toJson(const PlanSettings& settings) {
    return {{"criterion", settings.criterion},
            {"keep", settings.keep},
            {"scope", settings.scope == SelectScope::Across ? "across" : "layers"},
            {"uniform", settings.isUniform},
            {"champions", settings.champions},
            {"protects_super_experts", settings.protectsSuperExperts},
            {"compensates_lost_mass", settings.compensatesLostMass},
            {"merge", settings.merge},
            {"task_weights", settings.taskWeights},
            {"task_mix", settings.taskMix == TaskMix::MaxMin ? "max-min" : "sum"}};
}

PlanSettings settingsFrom(const Json& json, const ExpertPlan& plan) {
    PlanSettings settings;
    settings.criterion = json.value("criterion", plan.criterion);
    settings.keep = json.value("keep", std::int64_t{0});
    settings.scope = parse_scope(json.value("scope", std::string("layers")));
    settings.isUniform = json.value("uniform", true);
    settings.champions = json.value("champions", std::int64_t{0});
    settings.protectsSuperExperts = json.value("protects_super_experts", true);
    settings.compensatesLostMass = json.value("compensates_lost_mass", plan.scales_outputs());
    settings.merge = json.value("merge", plan.merges() ? plan.merge : std::string());
    settings.taskWeights = json.value("task_weights", std::map<std::string, double>());
    settings.taskMix = parse_task_mix(json.value("task_mix", std::string("sum")));
    return settings;
}

Json toJson(const MeasuredPoint& point) {
    Json layers = Json::array();
    for (const auto& [layer, row] : point.plan.layers) {
        Json json = {{"layer", layer}, {"kept", bitsOf(row->kept)}};
        if (!row->locked.empty()) json["locked"] = row->locked;
        if (!row->forced_out.empty()) json["forced_out"] = row->forced_out;
        layers.push_back(std::move(json));
    }
    return {{"chooser", point.plan.chooser}, {"settings", toJson(point.plan.settings)},
            {"layers", std::move(layers)},   {"probe", point.probe.toStdString()},
            {"bytes", point.bytes},          {"reading", toJson(point.reading)}};
}

MeasuredPoint measuredPointFrom(const Json& json, const ExpertData& data) {
    ExpertPlan plan;
    plan.criterion = json.at("chooser").get<std::string>();
    for (const Json& layer : json.at("layers")) {
        LayerPlan& row = plan.layers[layer.at("layer").get<std::int64_t>()];
        row.kept = idsOf(layer.at("kept").get<std::string>());
        row.locked = marksFrom(layer, "locked");
        row.forced_out = marksFrom(layer, "forced_out");
    }
    plan.require_fits(data.config);
    if (plan.layers.size() != data.config.moe_layers().size()) {
        throw Error(ErrorCode::RunRecipe,
                    fmt::format("A measured plan is about {} layers, the model has {} with "
                                "experts.",
                                plan.layers.size(), data.config.moe_layers().size()),
                    "Choose the model that was measured.");
    }
    MeasuredPoint point;
    point.plan = stateOf(plan, settingsFrom(json.at("settings"), plan));
    point.probe = QString::fromStdString(json.at("probe").get<std::string>());
    point.bytes = json.at("bytes").get<std::uint64_t>();
    point.reading = readingFrom(json.at("reading"));
    return point;
}

}  // namespace espalier::ui
