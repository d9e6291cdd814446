// How the options of a selection are written.

#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <optional>

#include "base/error.h"
#include "prune/select_experts.h"

namespace espalier {
namespace {

template <typename Value>
Value parse_name(std::string_view text, std::string_view what,
                 const std::pair<std::string_view, Value>& first,
                 const std::pair<std::string_view, Value>& second) {
    if (text == first.first) return first.second;
    if (text == second.first) return second.second;
    throw Error(ErrorCode::UsageInvalid, fmt::format("\"{}\" is no {}.", text, what),
                fmt::format("Write {} or {}.", first.first, second.first));
}

template <typename T>
std::optional<T> parse_number(std::string_view text) {
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

/// Calls each(part) for the parts between commas.
template <typename Each>
void for_each_part(std::string_view text, const Each& each) {
    while (!text.empty()) {
        const std::string_view part = text.substr(0, text.find(','));
        text.remove_prefix(std::min(text.size(), part.size() + 1));
        each(part);
    }
}

}  // namespace

SelectScope parse_scope(std::string_view text) {
    return parse_name<SelectScope>(text, "scope", {"layers", SelectScope::Layers},
                                   {"across", SelectScope::Across});
}

TaskMix parse_task_mix(std::string_view text) {
    return parse_name<TaskMix>(text, "way to mix tasks", {"sum", TaskMix::Sum},
                               {"max-min", TaskMix::MaxMin});
}

std::map<std::string, double> parse_task_weights(std::string_view text) {
    std::map<std::string, double> weights;
    for_each_part(text, [&](std::string_view part) {
        // The last "=": a label may hold others.
        const std::size_t equals = part.rfind('=');
        const auto weight = equals == std::string_view::npos
                                ? std::nullopt
                                : parse_number<double>(part.substr(equals + 1));
        const std::string task(part.substr(0, equals));
        if (!weight || task.empty() || !(*weight >= 0) || !std::isfinite(*weight) ||
            !weights.emplace(task, *weight).second) {
            throw Error(ErrorCode::UsageInvalid,
                        fmt::format("\"{}\" is no weight of a task.", part),
                        "Write TASK=NUMBER, each task once, with commas between: code=2,chat=1.");
        }
    });
    return weights;
}

std::pair<std::int64_t, std::vector<std::int32_t>> parse_layer_experts(std::string_view text) {
    const std::size_t colon = text.find(':');
    const auto layer = parse_number<std::int64_t>(text.substr(0, colon));
    std::vector<std::int32_t> experts;
    bool is_valid = layer && *layer >= 0 && colon != std::string_view::npos;
    if (is_valid) {
        for_each_part(text.substr(colon + 1), [&](std::string_view part) {
            const auto expert = parse_number<std::int32_t>(part);
            is_valid = is_valid && expert && *expert >= 0;
            experts.push_back(expert.value_or(0));
        });
    }
    if (is_valid && !experts.empty()) return {*layer, experts};
    throw Error(ErrorCode::UsageInvalid, fmt::format("\"{}\" names no experts.", text),
                "Write LAYER:EXPERT,EXPERT, for instance 3:5,17.");
}

}  // namespace espalier
