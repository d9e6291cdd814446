#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <fmt/format.h>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace espalier {

/// `Config` or `const Config`: one list of fields reads and writes.
template <typename T, typename Config>
concept MaybeConst = std::same_as<std::remove_const_t<T>, Config>;

/// Reads a value of exactly the right kind: 0.5 is no integer, true is no number, -1 is no size.
/// False, and `value` as it was, otherwise.
template <typename T>
bool read_json_value(const Json& json, T& value) {
    if constexpr (std::same_as<T, bool>) {
        if (!json.is_boolean()) return false;
    } else if constexpr (std::unsigned_integral<T>) {
        if (!json.is_number_unsigned()) return false;
        if (json.get<std::uint64_t>() > std::numeric_limits<T>::max()) return false;
    } else if constexpr (std::signed_integral<T>) {
        if (!json.is_number_integer()) return false;
        if (json.is_number_unsigned() &&
            json.get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<T>::max())) {
            return false;
        }
    } else if constexpr (std::floating_point<T>) {
        if (!json.is_number()) return false;
    } else if constexpr (std::same_as<T, std::string>) {
        if (!json.is_string()) return false;
    }
    try {
        json.get_to(value);
    } catch (const Json::exception&) {
        return false;
    }
    return true;
}

/// A stage's config as JSON, from its visit_fields().
template <typename Config>
Json config_to_json(const Config& config) {
    Json json = Json::object();
    visit_fields(config, [&](std::string_view name, const auto& value, std::string_view) {
        json[std::string(name)] = value;
    });
    return json;
}

/// Defaults for what is absent. @throws Error RunRecipe for an unknown key or a value of the wrong
/// kind
template <typename Config>
Config config_from_json(const Json& json, std::string_view stage) {
    Config config;
    std::vector<std::string_view> names;
    visit_fields(config, [&](std::string_view name, auto& value, std::string_view) {
        names.push_back(name);
        const auto found = json.find(std::string(name));
        if (found == json.end() || read_json_value(*found, value)) return;
        throw Error(ErrorCode::RunRecipe,
                    fmt::format("Stage {}: \"{}\" cannot be {}.", stage, name, found->dump()),
                    "Correct the recipe.");
    });
    for (const auto& [key, value] : json.items()) {
        if (std::find(names.begin(), names.end(), key) != names.end()) continue;
        throw Error(ErrorCode::RunRecipe,
                    fmt::format("Stage {} has no setting \"{}\".", stage, key),
                    fmt::format("It has: {}.", fmt::join(names, ", ")));
    }
    return config;
}

}  // namespace espalier
