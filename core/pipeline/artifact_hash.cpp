#include "pipeline/artifact_hash.h"

#include <algorithm>
#include <fmt/format.h>
#include <fstream>
#include <vector>

#include "base/cancel.h"
#include "base/error.h"
#include "base/file_hash.h"

namespace espalier {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kPieceBytes = 4U << 20;

std::vector<fs::path> files_below(const fs::path& path) {
    if (!fs::exists(path)) {
        throw Error(ErrorCode::FileMissing, fmt::format("{} is not there.", path.string()),
                    "Check the path.");
    }
    if (!fs::is_directory(path)) return {path};
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(path)) {
        if (entry.is_regular_file()) files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
}

std::string hash_file(const fs::path& path, const std::stop_token& stop) {
    std::ifstream file(path, std::ios::binary);
    std::vector<char> piece(kPieceBytes);
    Sha256 hash;
    while (file) {
        throw_if_stopped(stop);
        file.read(piece.data(), static_cast<std::streamsize>(piece.size()));
        hash.update(std::string_view(piece.data(), static_cast<std::size_t>(file.gcount())));
    }
    if (!file.eof()) {
        throw Error(ErrorCode::FileMissing, fmt::format("{} cannot be read.", path.string()),
                    "Check that the file is readable.");
    }
    return hash.hex();
}

}  // namespace

ArtifactSize hash_artifact(const fs::path& path, std::stop_token stop) {
    ArtifactSize result;
    std::string lines;
    for (const fs::path& file : files_below(path)) {
        result.bytes += fs::file_size(file);
        result.sha256 = hash_file(file, stop);
        lines += fmt::format("{}  {}\n", result.sha256, file.lexically_relative(path).string());
    }
    if (fs::is_directory(path)) result.sha256 = sha256_of_text(lines);
    return result;
}

std::uint64_t artifact_bytes(const fs::path& path) {
    std::uint64_t bytes = 0;
    for (const fs::path& file : files_below(path)) bytes += fs::file_size(file);
    return bytes;
}

}  // namespace espalier
