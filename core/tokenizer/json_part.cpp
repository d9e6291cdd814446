#include "tokenizer/json_part.h"

#include <fmt/format.h>
#include <utility>

#include "base/error.h"

namespace espalier {

JsonPart::JsonPart(const Json& value, std::string place)
    : value_(&value), place_(std::move(place)) {}

std::optional<JsonPart> JsonPart::find(std::string_view key) const {
    if (!value_->is_object()) malformed("should be an object");
    const auto found = value_->find(std::string(key));
    if (found == value_->end() || found->is_null()) return std::nullopt;
    JsonPart part(*found, fmt::format("{}{}{}", place_, is_root_ ? ": " : ".", key));
    part.is_root_ = false;
    return part;
}

JsonPart JsonPart::at(std::string_view key) const {
    if (auto part = find(key)) return *std::move(part);
    malformed(fmt::format("lacks \"{}\"", key));
}

std::vector<JsonPart> JsonPart::items(std::string_view key) const {
    const JsonPart list = at(key);
    if (!list.value().is_array()) list.malformed("should be a list");
    std::vector<JsonPart> result;
    result.reserve(list.value().size());
    for (std::size_t i = 0; i < list.value().size(); ++i) {
        result.emplace_back(list.value()[i], fmt::format("{}[{}]", list.place(), i));
        result.back().is_root_ = false;
    }
    return result;
}

std::string JsonPart::text(std::string_view key) const {
    const JsonPart part = at(key);
    if (!part.value().is_string()) part.malformed("should be a string");
    return part.value().get<std::string>();
}

std::string JsonPart::text(std::string_view key, std::string_view fallback) const {
    return find(key) ? text(key) : std::string(fallback);
}

bool JsonPart::flag(std::string_view key, bool fallback) const {
    const auto part = find(key);
    if (!part) return fallback;
    if (!part->value().is_boolean()) part->malformed("should be true or false");
    return part->value().get<bool>();
}

std::int64_t JsonPart::index(std::string_view key, std::int64_t limit) const {
    const JsonPart part = at(key);
    const auto number = part.value().is_number_integer() ? part.value().get<std::int64_t>() : -1;
    if (number < 0 || number >= limit) {
        part.malformed(fmt::format("should be an integer from 0 to {}", limit - 1));
    }
    return number;
}

void JsonPart::malformed(std::string_view what) const {
    throw Error(ErrorCode::FileMalformed, fmt::format("{} {}.", place_, what),
                "Download the tokenizer's files again.");
}

void JsonPart::unsupported(std::string_view what) const {
    throw Error(ErrorCode::FileUnsupported, fmt::format("{}: {}.", place_, what),
                "Espalier does not know this kind of tokenizer; please report the model.");
}

}  // namespace espalier
