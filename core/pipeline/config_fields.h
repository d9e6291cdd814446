#pragma once

#include <concepts>
#include <string>
#include <string_view>
#include <type_traits>

#include <fmt/format.h>

#include "base/error.h"
#include "base/json.h"

namespace espalier {

/// `Config` or `const Config`: one list of fields reads and writes.
template <typename T, typename Config>
concept MaybeConst = std::same_as<std::remove_const_t<T>, Config>;

/// A stage's config as JSON, from its visit_fields().
template <typename Config>
Json config_to_json(const Config& config) {
    Json json = Json::object();
    visit_fields(config, [&](std::string_view name, const auto& value, std::string_view) {
        json[std::string(name)] = value;
    });
    return json;
}

/// Defaults for what is absent. @throws Error RunRecipe for an unknown key or a value of the wrong kind
template <typename Config>
Config config_from_json(const Json& json, std::string_view stage) {
    Config config;
    std::size_t known = 0;
    visit_fields(config, [&](std::string_view name, auto& value, std::string_view) {
        const auto found = json.find(std::string(name));
        if (found == json.end()) return;
        ++known;
        try {
            found->get_to(value);
        } catch (const Json::exception&) {
            throw Error(ErrorCode::RunRecipe,
                        fmt::format("Stage {}: \"{}\" cannot be {}.", stage, name, found->dump()),
                        "Correct the recipe.");
        }
    });
    if (known == json.size()) return config;
    for (const auto& [key, value] : json.items()) {
        bool listed = false;
        visit_fields(config, [&](std::string_view name, auto&, std::string_view) { listed |= name == key; });
        if (!listed) {
            throw Error(ErrorCode::RunRecipe, fmt::format("Stage {} has no setting \"{}\".", stage, key),
                        "Check the spelling in the recipe.");
        }
    }
    return config;
}

}  // namespace espalier
