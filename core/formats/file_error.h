#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.h"

namespace espalier {

/// FileMalformed: "model.safetensors is damaged: {what}."
Error malformed_file(const std::filesystem::path& path, std::string_view what);
/// FileTruncated: "model.safetensors is cut short: {what}."
Error truncated_file(const std::filesystem::path& path, std::string_view what);
/// FileUnsupported: "model.gguf cannot be read: {what}."
Error unsupported_file(const std::filesystem::path& path, std::string_view what);

/// A name from a file, fit for a message: in quotes, well-formed UTF-8, not endless.
std::string in_quotes(std::string_view name);

}  // namespace espalier
