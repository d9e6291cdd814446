#include "pipeline/run_report.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>

#include "base/size_text.h"
#include "pipeline/stage_routing.h"
#include "store/routing_refusal.h"

namespace espalier {
namespace {

std::string duration_text(double seconds) {
    if (seconds < 60) return fmt::format("{:.1f} s", seconds);
    const auto minutes = static_cast<std::int64_t>(seconds / 60);
    const double rest = seconds - 60.0 * static_cast<double>(minutes);
    if (minutes < 60) return fmt::format("{} min {:.0f} s", minutes, std::floor(rest));
    return fmt::format("{} h {} min", minutes / 60, minutes % 60);
}

std::string value_text(const std::string& name, const Json& value) {
    if (value.is_number_integer() && name.find("bytes") != std::string::npos) {
        return size_text(value.get<std::uint64_t>());
    }
    if (value.is_number_float()) return fmt::format("{:.6g}", value.get<double>());
    if (value.is_string()) return value.get<std::string>();
    return value.dump();
}

/// Metrics whose names share a first part ("perplexity.python") stand beside each other by
/// themselves, because stages write them in order.
std::string metrics_table(const Json& metrics) {
    std::string text;
    for (const auto& [name, value] : metrics.items()) {
        if (value.is_object() || value.is_array()) continue;
        text += fmt::format("| {} | {} |\n", name, value_text(name, value));
    }
    if (text.empty()) return text;
    return "| measured | value |\n|---|---:|\n" + text + "\n";
}

/// What a reader looks at first; routing_report.json has all.
constexpr std::array kRoutingColumns{"layer",    "recall",        "restricted_kl", "displaced",
                                     "local_kl", "output_cosine", "load_tv"};

std::string routing_table(const Json& routing, bool is_accepted) {
    const Json layers = routing.value("per_layer", Json::array());
    if (layers.empty() || !layers.front().is_object()) return {};
    std::string head = "|";
    std::string rule = "|";
    for (const char* name : kRoutingColumns) {
        if (!layers.front().contains(name)) continue;
        head += fmt::format(" {} |", name);
        rule += "---:|";
    }
    std::string text = fmt::format("Routing against the original: {}{}. By layer:\n\n{}\n{}\n",
                                   routing.value("verdict", Json()).dump(),
                                   is_accepted ? ", which was accepted" : "", head, rule);
    for (const Json& layer : layers) {
        text += "|";
        for (const char* name : kRoutingColumns) {
            if (!layer.contains(name)) continue;
            const Json& value = layer.at(name);
            text += value.is_number_integer() ? fmt::format(" {} |", value.dump())
                                              : fmt::format(" {:.4f} |", value.get<double>());
        }
        text += "\n";
    }
    return text + "\n";
}

}  // namespace

std::string report_markdown(const Json& report, const std::string& title) {
    std::string text = fmt::format("# {}\n\n", title);
    const Json result = report.value("result", Json::object());
    if (result.contains("path")) {
        text += fmt::format("Result: `{}`, {}, SHA-256 `{}`.\n\n", result.value("path", ""),
                            size_text(result.value("bytes", std::uint64_t{0})),
                            result.value("sha256", ""));
    }
    text += "| stage | took | peak memory |\n|---|---:|---:|\n";
    const Json stages = report.value("stages", Json::array());
    for (const Json& stage : stages) {
        text += fmt::format("| {} | {} | {} |\n", stage.value("stage", ""),
                            duration_text(stage.value("seconds", 0.0)),
                            memory_text(stage.value("peak_bytes", std::uint64_t{0})));
    }
    text += "\n";
    for (const Json& stage : stages) {
        const std::string tables = metrics_table(stage.value("metrics", Json::object())) +
                                   routing_table(stage.value("routing", Json::object()),
                                                 stage.value(kRoutingAccepted, false));
        if (!tables.empty()) {
            text += fmt::format("## {}\n\n{}", stage.value("stage", ""), tables);
        }
    }
    return text + fmt::format("Recipe {}.\n", report.value("recipe_hash", ""));
}

}  // namespace espalier
