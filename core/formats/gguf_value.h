#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace espalier {

/// An array value; nested arrays are refused, as ggml's loader does.
using GgufArray =
    std::variant<std::vector<std::uint8_t>, std::vector<std::int8_t>, std::vector<std::uint16_t>,
                 std::vector<std::int16_t>, std::vector<std::uint32_t>, std::vector<std::int32_t>,
                 std::vector<float>, std::vector<bool>, std::vector<std::string>,
                 std::vector<std::uint64_t>, std::vector<std::int64_t>, std::vector<double>>;

using GgufValue = std::variant<std::uint8_t, std::int8_t, std::uint16_t, std::int16_t,
                               std::uint32_t, std::int32_t, float, bool, std::string, std::uint64_t,
                               std::int64_t, double, GgufArray>;

/// The keys of a GGUF file, in the order of the file.
class GgufMetadata {
public:
    GgufMetadata() = default;
    /// @param source named in errors, e.g. a file name
    explicit GgufMetadata(std::string source) : source_(std::move(source)) {}

    /// Null if absent.
    const GgufValue* find(std::string_view key) const noexcept;
    /// Replaces the value of a key that is there already, else appends.
    void set(std::string key, GgufValue value);
    bool erase(std::string_view key);
    const std::vector<std::pair<std::string, GgufValue>>& entries() const noexcept {
        return entries_;
    }

    /// Any whole number type, as i64. @throws Error FileMalformed if absent or of another kind
    std::int64_t integer(std::string_view key) const;
    /// The fallback only for an absent key: one of another kind is an error here too.
    std::int64_t integer_or(std::string_view key, std::int64_t fallback) const;
    /// Any number, as double.
    double number(std::string_view key) const;
    double number_or(std::string_view key, double fallback) const;
    const std::string& text(std::string_view key) const;
    std::string text_or(std::string_view key, std::string_view fallback) const;
    bool flag_or(std::string_view key, bool fallback) const;
    /// Null if absent or not an array of T.
    template <typename T>
    const std::vector<T>* array(std::string_view key) const noexcept {
        const GgufValue* value = find(key);
        const auto* items = value ? std::get_if<GgufArray>(value) : nullptr;
        return items ? std::get_if<std::vector<T>>(items) : nullptr;
    }

    /// The same keys with the same values in the same order, wherever they came from.
    bool operator==(const GgufMetadata& other) const { return entries_ == other.entries_; }

private:
    const GgufValue& require(std::string_view key) const;

    std::string source_ = "The GGUF file";
    std::vector<std::pair<std::string, GgufValue>> entries_;
    std::map<std::string, std::size_t, std::less<>> index_;
};

}  // namespace espalier
