#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "formats/gguf_value.h"
#include "model/model_source.h"

namespace espalier {

inline constexpr std::string_view kProvenanceFile = "espalier.json";

/// [layer][expert]: originals that were merged into an expert beside its own; only where there are.
using MergedExperts = std::map<std::int64_t, std::map<std::int32_t, std::vector<std::int32_t>>>;

/// Where an artifact comes from, what was done to it, and which experts are left: `espalier.json`
/// in a hub folder, `espalier.` keys in a GGUF file.
struct Provenance {
    std::string base_name;
    std::string base_hash;
    Json lineage = Json::array();  ///< [{stage, config, report_hash}, …], oldest first
    /// [layer][expert]: the id that the expert had in the base; layers without a router have an
    /// empty row.
    std::vector<std::vector<std::int32_t>> expert_map;
    /// Ids of the base. In the file such an expert is a list, its own id first:
    /// `expert_map: [[0, [3, 5, 9], 4]]`.
    MergedExperts merged = {};
    bool operator==(const Provenance&) const = default;
};

/// What the artifact says; for one that says nothing, that it is its own base with every expert in
/// place.
/// @throws Error FileMalformed if what it says does not fit the model
Provenance provenance_of(const ModelSource& model);

Json to_json(const Provenance& provenance);
/// @param source named in errors
Provenance provenance_from_json(const Json& json, const MoeConfig& config, std::string_view source);

/// Keys `espalier.version`, `espalier.base.name`, `espalier.base.hash`, and as JSON texts
/// `espalier.lineage` and `espalier.expert_map`.
void add_gguf_provenance(GgufMetadata& metadata, const Provenance& provenance);

}  // namespace espalier
