#pragma once

#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>

namespace espalier {

struct ArtifactSize {
    std::uint64_t bytes = 0;
    std::string sha256;
};

/// A file's size and SHA-256; of a folder the sum of its files and the SHA-256 of their
/// "<hash>  <relative name>\n" lines in the order of the names, as `sha256sum` prints them.
/// @throws Error FileMissing, Cancelled
ArtifactSize hash_artifact(const std::filesystem::path& path, std::stop_token stop);

/// Bytes of a file, or of all files below a folder. @throws Error FileMissing
std::uint64_t artifact_bytes(const std::filesystem::path& path);

}  // namespace espalier
