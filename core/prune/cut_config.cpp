#include "prune/cut_config.h"

#include <array>
#include <fmt/format.h>

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

GgufMetadata cut_metadata(const GgufMetadata& metadata, std::int64_t kept) {
    GgufMetadata result = metadata;
    const std::string key = metadata.text("general.architecture") + ".expert_count";
    if (metadata.find(key) == nullptr) {
        throw Error(ErrorCode::ArchConfig, fmt::format("The file has no key {}.", key),
                    "Convert the model to GGUF again.");
    }
    result.set(key, static_cast<std::uint32_t>(kept));
    return result;
}

}  // namespace espalier
