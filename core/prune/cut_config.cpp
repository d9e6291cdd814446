#include "prune/cut_config.h"

#include <array>
#include <fmt/format.h>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

namespace espalier {
namespace {

constexpr std::array kCountKeys{"num_experts", "num_local_experts", "n_routed_experts"};
constexpr std::array kPredictionKeys{"num_nextn_predict_layers", "mtp_num_hidden_layers"};

bool cut_object(Json& object, std::int64_t num_experts, std::int64_t kept) {
    bool changed = false;
    for (const char* key : kCountKeys) {
        const auto found = object.find(key);
        if (found == object.end() || *found != num_experts) continue;
        *found = kept;
        changed = true;
    }
    for (const char* key : kPredictionKeys) {
        const auto found = object.find(key);
        if (found != object.end() && found->is_number_integer()) *found = 0;
    }
    return changed;
}

}  // namespace

Json cut_config(const Json& config, std::int64_t num_experts, std::int64_t kept) {
    Json result = config;
    bool changed = cut_object(result, num_experts, kept);
    const auto text = result.find("text_config");
    if (text != result.end() && text->is_object()) {
        changed = cut_object(*text, num_experts, kept) || changed;
    }
    if (changed) return result;
    throw Error(ErrorCode::ArchConfig,
                fmt::format("No key of config.json holds the number of experts, {}.", num_experts),
                "Compare config.json with the original's.");
}

Json cut_width(const Json& config, std::int64_t width, std::int64_t kept) {
    Json result = config;
    const auto text = result.find("text_config");
    std::vector<Json*> objects{&result};
    if (text != result.end() && text->is_object()) objects.push_back(&*text);
    for (Json* object : objects) {
        // Where experts have a key of their own, the other one speaks of dense layers.
        for (const char* key : {"moe_intermediate_size", "intermediate_size"}) {
            const auto found = object->find(key);
            if (found == object->end()) continue;
            if (*found != width) break;
            *found = kept;
            return result;
        }
    }
    throw Error(ErrorCode::ArchConfig,
                fmt::format("No key of config.json holds the experts' width, {}.", width),
                "Compare config.json with the original's.");
}

GgufMetadata cut_width(const GgufMetadata& metadata, std::int64_t width, std::int64_t kept) {
    GgufMetadata result = metadata;
    const std::string architecture = metadata.text("general.architecture");
    for (const char* name : {".expert_feed_forward_length", ".feed_forward_length"}) {
        const std::string key = architecture + name;
        if (metadata.find(key) == nullptr) continue;
        if (metadata.integer_or(key, 0) != width) break;
        result.set(key, static_cast<std::uint32_t>(kept));
        return result;
    }
    throw Error(ErrorCode::ArchConfig,
                fmt::format("No key of the file holds the experts' width, {}.", width),
                "Convert the model to GGUF again.");
}

GgufMetadata cut_metadata(const GgufMetadata& metadata, std::int64_t kept) {
    GgufMetadata result = metadata;
    const std::string architecture = metadata.text("general.architecture");
    const std::string key = architecture + ".expert_count";
    if (metadata.find(key) == nullptr) {
        throw Error(ErrorCode::ArchConfig, fmt::format("The file has no key {}.", key),
                    "Convert the model to GGUF again.");
    }
    result.set(key, static_cast<std::uint32_t>(kept));
    const std::string prediction = architecture + ".nextn_predict_layers";
    const std::int64_t blocks = metadata.integer_or(prediction, 0);
    if (blocks <= 0) return result;
    // Prediction blocks are gone; block_count and lists of layers counted them.
    const std::string count = architecture + ".block_count";
    const std::int64_t layers = metadata.integer(count) - blocks;
    result.set(count, static_cast<std::uint32_t>(layers));
    result.set(prediction, std::uint32_t{0});
    const std::string recurrent = architecture + ".attention.recurrent_layers";
    if (const auto* flags = metadata.array<bool>(recurrent)) {
        std::vector<bool> cut = *flags;
        cut.resize(static_cast<std::size_t>(layers));
        result.set(recurrent, GgufArray(std::move(cut)));
    }
    return result;
}

}  // namespace espalier
