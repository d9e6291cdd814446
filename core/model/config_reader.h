#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace espalier {

/// Reads the fields of a config.json and remembers which, so that a field nobody asked for can be
/// refused: it might change the result. A field of null counts as absent.
class ConfigReader {
public:
    /// @param object outlives the reader
    /// @param source named in errors
    ConfigReader(const Json& object, std::string source)
        : object_(object), source_(std::move(source)) {}

    const std::string& source() const noexcept { return source_; }

    /// The value under the first of `keys` that is there; null if none. All of them count as read.
    /// @throws Error ArchConfig if two of them contradict each other
    const Json* find(std::initializer_list<std::string_view> keys);
    const Json* find(std::string_view key) { return find({key}); }

    std::int64_t integer(std::initializer_list<std::string_view> keys);
    std::int64_t integer(std::string_view key) { return integer({key}); }
    std::int64_t integer_or(std::string_view key, std::int64_t fallback);
    double number_or(std::string_view key, double fallback);
    bool flag_or(std::string_view key, bool fallback);
    std::string text_or(std::initializer_list<std::string_view> keys, std::string_view fallback);
    /// One whole number or a list of them; empty if absent.
    std::vector<std::int64_t> integers(std::string_view key);

    /// A list of texts; empty if absent.
    std::vector<std::string> texts(std::string_view key);

    /// Throws ArchUnknown unless the field is absent or has this very value.
    void require_text(std::string_view key, std::string_view expected);

    /// @throws Error ArchUnknown for a field that was neither read nor is in `ignored`; null, false
    /// and empty lists and objects change nothing and pass
    void refuse_unread(std::span<const std::string_view> ignored) const;

    [[noreturn]] void contradiction(std::string_view what) const;  ///< ArchConfig
    [[noreturn]] void unknown(std::string_view what) const;        ///< ArchUnknown

private:
    [[noreturn]] void wrong_kind(std::string_view key, std::string_view expected) const;

    const Json& object_;
    std::string source_;
    std::set<std::string, std::less<>> read_;
};

}  // namespace espalier
