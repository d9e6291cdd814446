#include "formats/gguf_value.h"

#include <fmt/format.h>
#include <limits>
#include <optional>
#include <type_traits>

#include "formats/file_error.h"

namespace espalier {
namespace {

std::optional<std::int64_t> as_integer(const GgufValue& value) {
    return std::visit(
        [](const auto& held) -> std::optional<std::int64_t> {
            using T = std::decay_t<decltype(held)>;
            if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
                if (!std::in_range<std::int64_t>(held)) return std::nullopt;
                return static_cast<std::int64_t>(held);
            } else {
                return std::nullopt;
            }
        },
        value);
}

std::optional<double> as_number(const GgufValue& value) {
    return std::visit(
        [](const auto& held) -> std::optional<double> {
            using T = std::decay_t<decltype(held)>;
            if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) {
                return static_cast<double>(held);
            } else {
                return std::nullopt;
            }
        },
        value);
}

Error wrong_kind(std::string_view source, std::string_view key, std::string_view expected) {
    return {ErrorCode::FileMalformed,
            fmt::format("{} is damaged: the value of key {} is not {}.", source, in_quotes(key),
                        expected),
            "Download or convert the file again."};
}

}  // namespace

const GgufValue* GgufMetadata::find(std::string_view key) const noexcept {
    const auto found = index_.find(key);
    return found == index_.end() ? nullptr : &entries_[found->second].second;
}

void GgufMetadata::set(std::string key, GgufValue value) {
    const auto [place, is_new] = index_.emplace(key, entries_.size());
    if (is_new) {
        entries_.emplace_back(std::move(key), std::move(value));
    } else {
        entries_[place->second].second = std::move(value);
    }
}

bool GgufMetadata::erase(std::string_view key) {
    const auto found = index_.find(key);
    if (found == index_.end()) return false;
    const std::size_t gone = found->second;
    entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(gone));
    index_.erase(found);
    for (auto& [name, position] : index_) {
        if (position > gone) --position;
    }
    return true;
}

const GgufValue& GgufMetadata::require(std::string_view key) const {
    if (const GgufValue* value = find(key)) return *value;
    throw Error(ErrorCode::FileMalformed,
                fmt::format("{} is incomplete: it lacks the key {}.", source_, in_quotes(key)),
                "Convert the model again with a current program.");
}

std::int64_t GgufMetadata::integer(std::string_view key) const {
    const auto number = as_integer(require(key));
    if (!number) throw wrong_kind(source_, key, "a whole number");
    return *number;
}

std::int64_t GgufMetadata::integer_or(std::string_view key, std::int64_t fallback) const {
    return find(key) ? integer(key) : fallback;
}

double GgufMetadata::number(std::string_view key) const {
    const auto value = as_number(require(key));
    if (!value) throw wrong_kind(source_, key, "a number");
    return *value;
}

double GgufMetadata::number_or(std::string_view key, double fallback) const {
    return find(key) ? number(key) : fallback;
}

const std::string& GgufMetadata::text(std::string_view key) const {
    const auto* held = std::get_if<std::string>(&require(key));
    if (!held) throw wrong_kind(source_, key, "a text");
    return *held;
}

std::string GgufMetadata::text_or(std::string_view key, std::string_view fallback) const {
    return find(key) ? text(key) : std::string(fallback);
}

bool GgufMetadata::flag_or(std::string_view key, bool fallback) const {
    const GgufValue* value = find(key);
    if (!value) return fallback;
    const bool* held = std::get_if<bool>(value);
    if (!held) throw wrong_kind(source_, key, "true or false");
    return *held;
}

}  // namespace espalier
