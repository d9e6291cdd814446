#include "model/config_native.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "model/check_config.h"
#include "model/config_from_hub.h"
#include "model/config_reader.h"

namespace espalier {
namespace {

constexpr std::int64_t kVersion = 1;
constexpr std::int64_t kMaxExperts = 1 << 14;
constexpr std::array<std::string_view, 1> kIgnored{"architectures"};

std::vector<std::int32_t> constants_of(const Json& row, const ConfigReader& reader) {
    std::vector<std::int32_t> ids;
    if (!row.is_array()) reader.contradiction("constant_experts holds something else than lists");
    for (const Json& id : row) {
        const bool is_id = id.is_number_integer() && id >= 0 && id < kMaxExperts;
        if (!is_id) reader.contradiction("constant_experts holds what is no expert");
        ids.push_back(id.get<std::int32_t>());
    }
    return ids;
}

void read_layers(ConfigReader& reader, MoeConfig& config) {
    const std::vector<std::int64_t> counts = reader.integers("num_experts_per_layer");
    const Json* constants = reader.find("constant_experts");
    const bool fits = counts.size() == config.layers.size() && constants != nullptr &&
                      constants->is_array() && constants->size() == counts.size();
    if (!fits) {
        reader.contradiction(fmt::format(
            "num_experts_per_layer and constant_experts must have an entry for each of {} layers",
            config.layers.size()));
    }
    std::int64_t most = 0;
    for (std::size_t i = 0; i < counts.size(); ++i) {
        LayerConfig& layer = config.layers[i];
        layer.num_experts = counts[i];
        layer.constants = constants_of((*constants)[i], reader);
        const bool is_moe = layer.feed_forward == FeedForwardKind::Moe;
        if (counts[i] < 0 || counts[i] > kMaxExperts || (counts[i] > 0) != is_moe) {
            reader.contradiction(fmt::format("layer {} cannot have {} experts", i, counts[i]));
        }
        most = std::max(most, counts[i]);
    }
    config.router.num_experts = most;
}

}  // namespace

Json native_config(const Json& original, const std::vector<NativeLayer>& layers) {
    Json counts = Json::array();
    Json constants = Json::array();
    for (const NativeLayer& layer : layers) {
        counts.push_back(layer.num_experts);
        constants.push_back(layer.constants);
    }
    return {{"model_type", kNativeModelType},
            {"version", kVersion},
            {"original", original},
            {"num_experts_per_layer", std::move(counts)},
            {"constant_experts", std::move(constants)}};
}

MoeConfig config_from_native(const Json& config, const Json& generation,
                             const std::string& source) {
    ConfigReader reader(config, source);
    reader.find("model_type");
    if (const std::int64_t version = reader.integer("version"); version != kVersion) {
        reader.unknown(fmt::format("version {} of native models is not known", version));
    }
    const Json* original = reader.find("original");
    if (original == nullptr || !original->is_object() ||
        original->value("model_type", Json()) == kNativeModelType) {
        reader.contradiction("\"original\" is no config of the model's family");
    }
    MoeConfig result = config_from_hub(*original, generation, source + ", original");
    read_layers(reader, result);
    reader.refuse_unread(kIgnored);
    check_config(result, source);
    return result;
}

}  // namespace espalier
