#include <algorithm>
#include <fmt/format.h>
#include <set>

#include "base/error.h"
#include "prune/expert_plan.h"

namespace espalier {
namespace {

constexpr int kVersion = 1;
constexpr std::int64_t kMaxExpertId = 65'535;
constexpr std::int64_t kMaxLayer = 65'535;
constexpr const char* kGroups = "groups";
constexpr const char* kOutputScale = "output_scale";

Error malformed(std::string_view source, const std::string& what) {
    return Error(ErrorCode::FileMalformed, fmt::format("{}: {}", source, what),
                 "Use a plan that `select` or the expert inspector wrote.");
}

const Json* member(const Json& json, const char* name) {
    const auto found = json.find(name);
    return found == json.end() ? nullptr : &*found;
}

std::string text_or_empty(const Json& json, const char* name, std::string_view source) {
    const Json* value = member(json, name);
    if (value == nullptr || value->is_null()) return {};
    if (!value->is_string()) throw malformed(source, fmt::format("\"{}\" must be a text.", name));
    return value->get<std::string>();
}

std::int32_t expert_id(const Json& id, const char* name, std::int64_t index,
                       std::string_view source) {
    if (!id.is_number_integer() || id < 0 || id > kMaxExpertId) {
        throw malformed(
            source, fmt::format("\"{}\" of layer {} holds {}, expert ids are numbers from 0.", name,
                                index, id.dump()));
    }
    return id.get<std::int32_t>();
}

std::vector<std::int32_t> ids(const Json& layer, const char* name, std::int64_t index,
                              std::string_view source) {
    const Json* list = member(layer, name);
    std::vector<std::int32_t> result;
    if (list == nullptr) return result;
    if (!list->is_array()) {
        throw malformed(source, fmt::format("\"{}\" of layer {} must be a list.", name, index));
    }
    for (const Json& id : *list) result.push_back(expert_id(id, name, index, source));
    std::sort(result.begin(), result.end());
    const auto twice = std::adjacent_find(result.begin(), result.end());
    if (twice != result.end()) {
        throw malformed(
            source, fmt::format("\"{}\" of layer {} names expert {} twice.", name, index, *twice));
    }
    return result;
}

/// Survivors first, as they stand there.
std::vector<std::vector<std::int32_t>> groups(const Json& layer, std::int64_t index,
                                              std::string_view source) {
    const Json* list = member(layer, kGroups);
    std::vector<std::vector<std::int32_t>> result;
    if (list == nullptr) return result;
    if (!list->is_array()) {
        throw malformed(source, fmt::format("\"{}\" of layer {} must be a list.", kGroups, index));
    }
    for (const Json& group : *list) {
        if (!group.is_array() || group.empty()) {
            throw malformed(source, fmt::format("\"{}\" of layer {} holds {}, lists of experts "
                                                "were expected.",
                                                kGroups, index, group.dump()));
        }
        auto& members = result.emplace_back();
        for (const Json& id : group) members.push_back(expert_id(id, kGroups, index, source));
    }
    std::sort(result.begin(), result.end());
    return result;
}

double output_scale(const Json& layer, std::int64_t index, std::string_view source) {
    const Json* scale = member(layer, kOutputScale);
    if (scale == nullptr) return 1.0;
    if (scale->is_number() && *scale > 0 && *scale <= 1) return scale->get<double>();
    throw malformed(source,
                    fmt::format("\"{}\" of layer {} is {}, a number above 0 and up to 1 was "
                                "expected.",
                                kOutputScale, index, scale->dump()));
}

std::int64_t layer_index(const Json& layer, std::int64_t position, std::string_view source) {
    const Json* index = member(layer, "layer");
    if (index == nullptr) return position;
    if (!index->is_number_integer() || *index < 0 || *index > kMaxLayer) {
        throw malformed(source, fmt::format("{} is no layer number.", index->dump()));
    }
    return index->get<std::int64_t>();
}

void check_agreement(const LayerPlan& plan, std::int64_t index, std::string_view source) {
    const auto keeps = [&plan](std::int32_t id) {
        return std::binary_search(plan.kept.begin(), plan.kept.end(), id);
    };
    for (const std::int32_t id : plan.locked) {
        if (!keeps(id)) {
            throw malformed(
                source, fmt::format("expert {} of layer {} is locked but not kept.", id, index));
        }
    }
    for (const std::int32_t id : plan.forced_out) {
        if (keeps(id)) {
            throw malformed(
                source, fmt::format("expert {} of layer {} is forced out but kept.", id, index));
        }
    }
}

/// Every expert is in one group at most, and only the first of a group is kept.
void check_groups(const LayerPlan& plan, std::int64_t index, std::string_view source) {
    std::set<std::int32_t> seen;
    for (const auto& group : plan.groups) {
        for (const std::int32_t& id : group) {
            const bool is_kept = std::binary_search(plan.kept.begin(), plan.kept.end(), id);
            if (is_kept != (&id == group.data())) {
                throw malformed(source,
                                fmt::format("expert {} of layer {} is {} a group and {}kept.", id,
                                            index, is_kept ? "merged into" : "the survivor of",
                                            is_kept ? "" : "not "));
            }
            if (std::binary_search(plan.forced_out.begin(), plan.forced_out.end(), id)) {
                throw malformed(source, fmt::format("expert {} of layer {} is forced out but "
                                                    "merged.",
                                                    id, index));
            }
            if (!seen.insert(id).second) {
                throw malformed(source, fmt::format("expert {} of layer {} stands in the groups "
                                                    "twice.",
                                                    id, index));
            }
        }
    }
}

void read_layers(const Json& json, std::string_view source, ExpertPlan& plan) {
    const Json* layers = member(json, "layers");
    if (layers == nullptr || !layers->is_array())
        throw malformed(source, "\"layers\" must be a list.");
    std::int64_t position = 0;
    for (const Json& layer : *layers) {
        if (!layer.is_object() || member(layer, "kept") == nullptr) {
            throw malformed(source,
                            fmt::format("entry {} of \"layers\" has no \"kept\".", position));
        }
        const std::int64_t index = layer_index(layer, position++, source);
        const LayerPlan entry{ids(layer, "kept", index, source),
                              ids(layer, "locked", index, source),
                              ids(layer, "forced_out", index, source), groups(layer, index, source),
                              output_scale(layer, index, source)};
        check_agreement(entry, index, source);
        check_groups(entry, index, source);
        if (!plan.layers.emplace(index, entry).second) {
            throw malformed(source, fmt::format("layer {} stands there twice.", index));
        }
    }
}

}  // namespace

Json to_json(const ExpertPlan& plan) {
    Json layers = Json::array();
    for (const auto& [index, layer] : plan.layers) {
        layers.push_back({{"layer", index},
                          {"kept", layer.kept},
                          {"locked", layer.locked},
                          {"forced_out", layer.forced_out}});
        if (!layer.groups.empty()) layers.back()[kGroups] = layer.groups;
        if (layer.output_scale != 1.0) layers.back()[kOutputScale] = layer.output_scale;
    }
    Json json = {{"version", kVersion},           {"model_hash", plan.model_hash},
                 {"stats_hash", plan.stats_hash}, {"criterion", plan.criterion},
                 {"layers", std::move(layers)},   {"reasons", plan.reasons},
                 {"accept", plan.accept}};
    if (!plan.merge.empty()) json["merge"] = plan.merge;
    return json;
}

ExpertPlan expert_plan_from_json(const Json& json, std::string_view source) {
    if (!json.is_object()) throw malformed(source, "an expert plan is a JSON object.");
    const Json* version = member(json, "version");
    if (version == nullptr || *version != kVersion) {
        throw malformed(source, fmt::format("the version of the plan must be {}.", kVersion));
    }
    ExpertPlan plan;
    plan.model_hash = text_or_empty(json, "model_hash", source);
    plan.stats_hash = text_or_empty(json, "stats_hash", source);
    plan.criterion = text_or_empty(json, "criterion", source);
    plan.merge = text_or_empty(json, "merge", source);
    read_layers(json, source, plan);
    if (plan.merges() && plan.merge.empty()) {
        throw malformed(source, "it has groups, but \"merge\" does not say how they are merged.");
    }
    if (const Json* reasons = member(json, "reasons"); reasons != nullptr && !reasons->is_null()) {
        plan.reasons = *reasons;
    }
    if (const Json* accept = member(json, "accept"); accept != nullptr && !accept->is_null()) {
        try {
            plan.accept = accept->get<std::vector<std::string>>();
        } catch (const Json::exception&) {
            throw malformed(source, "\"accept\" must be a list of texts.");
        }
    }
    return plan;
}

void save_expert_plan(const ExpertPlan& plan, const std::filesystem::path& path) {
    write_json_file(path, to_json(plan));
}

ExpertPlan load_expert_plan(const std::filesystem::path& path) {
    return expert_plan_from_json(read_json_file(path), path.string());
}

}  // namespace espalier
