#include <filesystem>
#include <fmt/format.h>
#include <string>
#include <system_error>

#include "base/error.h"
#include "base/json.h"
#include "routing/expert_stats.h"
#include "routing/expert_stats_file.h"

namespace espalier {
namespace {

Json to_json(const TopContext& context) {
    return {{"gate", context.gate},         {"row", context.row},     {"window", context.window},
            {"position", context.position}, {"token", context.token}, {"task", context.task},
            {"before", context.before},     {"text", context.text},   {"after", context.after}};
}

TopContext context_from(const Json& json) {
    return {.gate = json.at("gate").get<double>(),
            .row = json.at("row").get<std::int64_t>(),
            .window = json.at("window").get<std::int64_t>(),
            .position = json.at("position").get<std::int64_t>(),
            .token = json.at("token").get<std::int32_t>(),
            .task = json.at("task").get<std::int32_t>(),
            .before = json.at("before").get<std::string>(),
            .text = json.at("text").get<std::string>(),
            .after = json.at("after").get<std::string>()};
}

Error malformed(const std::filesystem::path& path, const std::string& what) {
    return Error(ErrorCode::FileMalformed, fmt::format("{}: {}", path.string(), what),
                 "Calibrate again, or delete the file: the statistics are whole without it.");
}

std::vector<std::vector<TopContext>> layer_from(const Json& json, const ExpertStats& stats,
                                                const std::filesystem::path& path) {
    std::vector<std::vector<TopContext>> lists;
    for (const Json& expert : json) {
        auto& list = lists.emplace_back();
        for (const Json& context : expert) list.push_back(context_from(context));
        for (const TopContext& context : list) {
            if (context.task >= 0 && context.task < static_cast<std::int64_t>(stats.tasks.size()))
                continue;
            throw malformed(path, fmt::format("there is no task {}.", context.task));
        }
    }
    if (lists.size() != static_cast<std::size_t>(stats.num_experts)) {
        throw malformed(path, fmt::format("a layer has {} experts, the statistics know {}.",
                                          lists.size(), stats.num_experts));
    }
    return lists;
}

}  // namespace

void save_expert_contexts(const ExpertStats& stats, const std::filesystem::path& path) {
    Json layers = Json::object();
    for (const auto& [index, layer] : stats.layers) {
        if (layer.top_contexts.empty()) continue;
        Json experts = Json::array();
        for (const auto& list : layer.top_contexts) {
            Json contexts = Json::array();
            for (const TopContext& context : list) contexts.push_back(to_json(context));
            experts.push_back(std::move(contexts));
        }
        layers[std::to_string(index)] = std::move(experts);
    }
    if (layers.empty()) {
        std::error_code ignored;  // usually there is none to remove
        std::filesystem::remove(path, ignored);
        return;
    }
    write_json_file(path, {{"kind", kExpertContextsKind},
                           {"version", kExpertStatsVersion},
                           {"model_hash", stats.model_hash},
                           {"data_hash", stats.data_hash},
                           {"tokens", stats.total_tokens()},
                           {"layers", std::move(layers)}});
}

void load_expert_contexts(const std::filesystem::path& path, ExpertStats& stats) {
    const std::filesystem::path file = contexts_path(path);
    if (!std::filesystem::exists(file)) return;
    const Json json = read_json_file(file);
    try {
        if (json.at("kind") != kExpertContextsKind || json.at("version") != kExpertStatsVersion) {
            throw malformed(file, "it is no file of contexts that this version knows.");
        }
        if (json.at("model_hash") != stats.model_hash || json.at("data_hash") != stats.data_hash ||
            json.at("tokens") != stats.total_tokens()) {
            throw Error(ErrorCode::FileHash,
                        fmt::format("{} belongs to other statistics than the file beside it.",
                                    file.string()),
                        "Keep the files of one calibration together, or delete this one.");
        }
        for (auto& [index, layer] : stats.layers) {
            const auto found = json.at("layers").find(std::to_string(index));
            if (found == json.at("layers").end()) continue;
            layer.top_contexts = layer_from(*found, stats, file);
        }
    } catch (const Json::exception& error) {
        throw malformed(file, error.what());
    }
}

}  // namespace espalier
