#include "routing/provenance.h"

#include <fmt/format.h>
#include <numeric>
#include <set>

#include "base/error.h"

namespace espalier {
namespace {

constexpr std::uint32_t kVersion = 1;
constexpr std::int64_t kMaxOriginalId = 65'535;

Error malformed(std::string_view source, const std::string& what) {
    return Error(
        ErrorCode::FileMalformed, fmt::format("{}: {}", source, what),
        "Restore the file that was written with the model, or delete it to treat the model as an "
        "original.");
}

std::string text_member(const Json& json, const char* name, std::string_view source) {
    const auto found = json.find(name);
    if (found == json.end() || !found->is_string()) {
        throw malformed(source, fmt::format("\"{}\" must be a text.", name));
    }
    return found->get<std::string>();
}

std::vector<std::int32_t> map_row(const Json& row, std::size_t expected, std::size_t layer,
                                  std::string_view source) {
    if (!row.is_array() || row.size() != expected) {
        throw malformed(source, fmt::format("\"expert_map\" must list {} experts in layer {}.",
                                            expected, layer));
    }
    std::vector<std::int32_t> ids;
    std::set<std::int32_t> seen;
    for (const Json& id : row) {
        if (!id.is_number_integer() || id < 0 || id > kMaxOriginalId ||
            !seen.insert(id.get<std::int32_t>()).second) {
            throw malformed(source,
                            fmt::format("\"expert_map\" holds {} in layer {}, an expert id that "
                                        "stands there once was expected.",
                                        id.dump(), layer));
        }
        ids.push_back(id.get<std::int32_t>());
    }
    return ids;
}

std::size_t experts_of(const MoeConfig& config, std::size_t layer) {
    return config.layers[layer].feed_forward == FeedForwardKind::Moe
               ? static_cast<std::size_t>(config.router.num_experts)
               : 0;
}

Provenance of_uncut(const ModelSource& model) {
    Provenance provenance;
    provenance.base_name = model.name();
    provenance.base_hash = model.hash();
    for (std::size_t layer = 0; layer < model.config().layers.size(); ++layer) {
        auto& row = provenance.expert_map.emplace_back(experts_of(model.config(), layer));
        std::iota(row.begin(), row.end(), 0);
    }
    return provenance;
}

Json gguf_json(const GgufMetadata& metadata, std::string_view source) {
    return {{"version", metadata.integer("espalier.version")},
            {"base",
             {{"name", metadata.text("espalier.base.name")},
              {"hash", metadata.text("espalier.base.hash")}}},
            {"lineage", parse_json(metadata.text("espalier.lineage"), source)},
            {"expert_map", parse_json(metadata.text("espalier.expert_map"), source)}};
}

}  // namespace

Provenance provenance_from_json(const Json& json, const MoeConfig& config,
                                std::string_view source) {
    if (!json.is_object()) throw malformed(source, "a JSON object was expected.");
    const auto version = json.find("version");
    if (version == json.end() || *version != kVersion) {
        throw malformed(source, fmt::format("its version is not {}.", kVersion));
    }
    const auto base = json.find("base");
    const auto lineage = json.find("lineage");
    const auto map = json.find("expert_map");
    if (base == json.end() || !base->is_object())
        throw malformed(source, "\"base\" must be an object.");
    if (lineage == json.end() || !lineage->is_array())
        throw malformed(source, "\"lineage\" must be a list.");
    if (map == json.end() || !map->is_array() || map->size() != config.layers.size()) {
        throw malformed(source,
                        fmt::format("\"expert_map\" must list {} layers.", config.layers.size()));
    }
    Provenance provenance;
    provenance.base_name = text_member(*base, "name", source);
    provenance.base_hash = text_member(*base, "hash", source);
    provenance.lineage = *lineage;
    for (std::size_t layer = 0; layer < map->size(); ++layer) {
        provenance.expert_map.push_back(
            map_row((*map)[layer], experts_of(config, layer), layer, source));
    }
    return provenance;
}

Provenance provenance_of(const ModelSource& model) {
    if (const HubFolder* folder = model.hub_folder()) {
        const auto path = folder->path() / kProvenanceFile;
        if (std::filesystem::exists(path)) {
            return provenance_from_json(read_json_file(path), model.config(), path.string());
        }
    } else if (const GgufFile* file = model.gguf_file()) {
        if (file->metadata().find("espalier.version") != nullptr) {
            const std::string source = model.path().string();
            return provenance_from_json(gguf_json(file->metadata(), source), model.config(),
                                        source);
        }
    }
    return of_uncut(model);
}

Json to_json(const Provenance& provenance) {
    return {{"version", kVersion},
            {"base", {{"name", provenance.base_name}, {"hash", provenance.base_hash}}},
            {"lineage", provenance.lineage},
            {"expert_map", provenance.expert_map}};
}

void add_gguf_provenance(GgufMetadata& metadata, const Provenance& provenance) {
    metadata.set("espalier.version", kVersion);
    metadata.set("espalier.base.name", provenance.base_name);
    metadata.set("espalier.base.hash", provenance.base_hash);
    metadata.set("espalier.lineage", provenance.lineage.dump());
    metadata.set("espalier.expert_map", Json(provenance.expert_map).dump());
}

}  // namespace espalier
