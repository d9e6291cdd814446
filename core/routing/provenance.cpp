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

std::int32_t original_id(const Json& id, std::size_t layer, std::set<std::int32_t>& seen,
                         std::string_view source) {
    if (!id.is_number_integer() || id < 0 || id > kMaxOriginalId ||
        !seen.insert(id.get<std::int32_t>()).second) {
        throw malformed(source,
                        fmt::format("\"expert_map\" holds {} in layer {}, an expert id that "
                                    "stands there once was expected.",
                                    id.dump(), layer));
    }
    return id.get<std::int32_t>();
}

/// One layer of the map, where an entry is an id or, of merged experts, a list of ids.
void read_row(const Json& row, std::size_t expected, std::size_t layer, std::string_view source,
              Provenance& provenance) {
    if (!row.is_array() || row.size() != expected) {
        throw malformed(source, fmt::format("\"expert_map\" must list {} experts in layer {}.",
                                            expected, layer));
    }
    std::vector<std::int32_t>& ids = provenance.expert_map.emplace_back();
    std::set<std::int32_t> seen;
    for (const Json& entry : row) {
        const bool is_list = entry.is_array() && !entry.empty();
        ids.push_back(original_id(is_list ? entry.front() : entry, layer, seen, source));
        for (std::size_t i = 1; is_list && i < entry.size(); ++i) {
            provenance
                .merged[static_cast<std::int64_t>(layer)][static_cast<std::int32_t>(ids.size() - 1)]
                .push_back(original_id(entry[i], layer, seen, source));
        }
    }
}

Json map_json(const Provenance& provenance) {
    Json json = provenance.expert_map;
    for (const auto& [layer, experts] : provenance.merged) {
        for (const auto& [expert, others] : experts) {
            Json& entry =
                json.at(static_cast<std::size_t>(layer)).at(static_cast<std::size_t>(expert));
            entry = Json::array({entry});
            for (const std::int32_t id : others) entry.push_back(id);
        }
    }
    return json;
}

std::size_t experts_of(const MoeConfig& config, std::size_t layer) {
    return config.layers[layer].feed_forward == FeedForwardKind::Moe
               ? static_cast<std::size_t>(config.num_experts_of(static_cast<std::int64_t>(layer)))
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
        read_row((*map)[layer], experts_of(config, layer), layer, source, provenance);
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
            {"expert_map", map_json(provenance)}};
}

void add_gguf_provenance(GgufMetadata& metadata, const Provenance& provenance) {
    metadata.set("espalier.version", kVersion);
    metadata.set("espalier.base.name", provenance.base_name);
    metadata.set("espalier.base.hash", provenance.base_hash);
    metadata.set("espalier.lineage", provenance.lineage.dump());
    metadata.set("espalier.expert_map", map_json(provenance).dump());
}

}  // namespace espalier
