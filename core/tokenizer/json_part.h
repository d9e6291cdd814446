#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace espalier {

/// A value inside tokenizer.json together with its place, so that an error names the part. Refers
/// to the Json that it was made from.
class JsonPart {
public:
    /// @param place e.g. "tokenizer.json"; parts of it append ": pre_tokenizer.pretokenizers[0]"
    JsonPart(const Json& value, std::string place);

    const Json& value() const noexcept { return *value_; }
    const std::string& place() const noexcept { return place_; }

    /// @throws Error FileMalformed if it is absent or null
    JsonPart at(std::string_view key) const;
    /// Nothing if absent or null.
    std::optional<JsonPart> find(std::string_view key) const;
    std::vector<JsonPart> items(std::string_view key) const;

    std::string text(std::string_view key) const;
    std::string text(std::string_view key, std::string_view fallback) const;
    bool flag(std::string_view key, bool fallback) const;
    /// @throws Error FileMalformed if it is no integer in [0, limit)
    std::int64_t index(std::string_view key, std::int64_t limit) const;

    [[noreturn]] void malformed(std::string_view what) const;
    [[noreturn]] void unsupported(std::string_view what) const;

private:
    const Json* value_;
    std::string place_;
    bool is_root_ = true;
};

}  // namespace espalier
