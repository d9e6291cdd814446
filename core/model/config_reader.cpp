#include "model/config_reader.h"

#include <algorithm>
#include <fmt/format.h>
#include <limits>

#include "base/error.h"
#include "formats/file_error.h"

namespace espalier {
namespace {

std::optional<std::int64_t> whole_number(const Json& value) {
    if (value.is_number_unsigned()) {
        const auto number = value.get<std::uint64_t>();
        if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
            return std::nullopt;
        }
        return static_cast<std::int64_t>(number);
    }
    if (value.is_number_integer()) return value.get<std::int64_t>();
    return std::nullopt;
}

bool is_off(const Json& value) {
    return value.is_null() || value == Json(false) ||
           ((value.is_array() || value.is_object()) && value.empty());
}

}  // namespace

const Json* ConfigReader::find(std::initializer_list<std::string_view> keys) {
    const Json* first = nullptr;
    std::string_view first_key;
    for (const auto key : keys) {
        read_.emplace(key);
        const auto found = object_.find(key);
        if (found == object_.end() || found->is_null()) continue;
        if (first && *first != *found) {
            contradiction(fmt::format("{} and {} contradict each other", first_key, key));
        }
        if (first) continue;
        first = &*found;
        first_key = key;
    }
    return first;
}

std::int64_t ConfigReader::integer(std::initializer_list<std::string_view> keys) {
    const Json* value = find(keys);
    if (!value) contradiction(fmt::format("{} is missing", *keys.begin()));
    const auto number = whole_number(*value);
    if (!number) wrong_kind(*keys.begin(), "a whole number");
    return *number;
}

std::int64_t ConfigReader::integer_or(std::string_view key, std::int64_t fallback) {
    return find(key) ? integer(key) : fallback;
}

double ConfigReader::number_or(std::string_view key, double fallback) {
    const Json* value = find(key);
    if (!value) return fallback;
    if (!value->is_number()) wrong_kind(key, "a number");
    return value->get<double>();
}

bool ConfigReader::flag_or(std::string_view key, bool fallback) {
    const Json* value = find(key);
    if (!value) return fallback;
    if (!value->is_boolean()) wrong_kind(key, "true or false");
    return value->get<bool>();
}

std::string ConfigReader::text_or(std::initializer_list<std::string_view> keys,
                                  std::string_view fallback) {
    const Json* value = find(keys);
    if (!value) return std::string(fallback);
    if (!value->is_string()) wrong_kind(*keys.begin(), "a text");
    return value->get<std::string>();
}

std::vector<std::int64_t> ConfigReader::integers(std::string_view key) {
    const Json* value = find(key);
    if (!value) return {};
    std::vector<std::int64_t> numbers;
    const auto add = [&](const Json& item) {
        const auto number = whole_number(item);
        if (!number) wrong_kind(key, "a list of whole numbers");
        numbers.push_back(*number);
    };
    if (value->is_array()) {
        for (const auto& item : *value) add(item);
    } else {
        add(*value);
    }
    return numbers;
}

std::vector<std::string> ConfigReader::texts(std::string_view key) {
    const Json* value = find(key);
    if (!value) return {};
    if (!value->is_array()) wrong_kind(key, "a list of texts");
    std::vector<std::string> result;
    for (const auto& item : *value) {
        if (!item.is_string()) wrong_kind(key, "a list of texts");
        result.push_back(item.get<std::string>());
    }
    return result;
}

void ConfigReader::require_text(std::string_view key, std::string_view expected) {
    const std::string value = text_or({key}, expected);
    if (value != expected) {
        unknown(
            fmt::format("{} is {}, Espalier knows \"{}\" only", key, in_quotes(value), expected));
    }
}

void ConfigReader::refuse_unread(std::span<const std::string_view> ignored) const {
    for (const auto& [key, value] : object_.items()) {
        if (read_.contains(key) || is_off(value)) continue;
        if (std::find(ignored.begin(), ignored.end(), key) != ignored.end()) continue;
        unknown(
            fmt::format("the field {} is not known and might change the result", in_quotes(key)));
    }
}

void ConfigReader::contradiction(std::string_view what) const {
    throw Error(ErrorCode::ArchConfig, fmt::format("{}: {}.", source_, what),
                "Compare the file with the model's original.");
}

void ConfigReader::unknown(std::string_view what) const {
    throw Error(ErrorCode::ArchUnknown, fmt::format("{}: {}.", source_, what),
                "Look for a newer version of Espalier, or another model.");
}

void ConfigReader::wrong_kind(std::string_view key, std::string_view expected) const {
    contradiction(fmt::format("{} is not {}", key, expected));
}

}  // namespace espalier
