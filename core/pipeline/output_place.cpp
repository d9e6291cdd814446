#include "pipeline/output_place.h"

#include <algorithm>
#include <fmt/format.h>
#include <string>
#include <system_error>
#include <vector>

#include "base/error.h"
#include "formats/gguf_set.h"

namespace espalier {
namespace fs = std::filesystem;
namespace {

/// Where a path leads once links are followed, without a slash at its end.
fs::path place_of(const fs::path& path) {
    std::error_code unreadable;  // then the name alone has to do
    fs::path place = fs::weakly_canonical(fs::absolute(path), unreadable);
    if (unreadable) place = fs::absolute(path).lexically_normal();
    return place.has_filename() ? place : place.parent_path();
}

bool is_within(const fs::path& inner, const fs::path& outer) {
    const auto [left, right] =
        std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end());
    return left == outer.end();
}

/// With every part of a split GGUF file.
std::vector<fs::path> files_of(std::initializer_list<fs::path> inputs) {
    std::vector<fs::path> files;
    for (const fs::path& input : inputs) {
        if (input.empty()) continue;
        const auto parts = split_gguf_files(input);
        files.insert(files.end(), parts.begin(), parts.end());
    }
    return files;
}

}  // namespace

void require_apart(const fs::path& out, std::initializer_list<fs::path> inputs) {
    const fs::path target = place_of(out);
    // Files and folders are written under this name until they are whole.
    const fs::path partial = target.string() + ".partial";
    for (const fs::path& input : files_of(inputs)) {
        const fs::path source = place_of(input);
        std::string problem;
        if (target == source || partial == source) {
            problem = "is read to make the result";
        } else if (is_within(target, source)) {
            problem =
                fmt::format("lies inside {}, which is read to make the result", source.string());
        } else if (is_within(source, target)) {
            problem = fmt::format("holds {}, which is read to make the result", source.string());
        }
        if (problem.empty()) continue;
        throw Error(
            ErrorCode::FileExists,
            fmt::format("The result cannot be written to {}: it {}.", out.string(), problem),
            "Choose another place for the result.");
    }
}

}  // namespace espalier
