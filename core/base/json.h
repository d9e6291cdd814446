#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace espalier {

/// Keeps the order of keys, so that what is written reads as it was meant.
using Json = nlohmann::ordered_json;

struct JsonLimits {
    std::size_t max_depth = 64;
};

/// Parses untrusted text: depth is bounded and a key that stands twice in one object is refused.
/// @param source named in the error, e.g. a file name
/// @throws Error FileMalformed
Json parse_json(std::string_view text, std::string_view source, JsonLimits limits = {});

Json read_json_file(const std::filesystem::path& path, std::size_t max_bytes = 256U << 20);

/// Two-space indentation and a final newline; atomic.
void write_json_file(const std::filesystem::path& path, const Json& json);

}  // namespace espalier
