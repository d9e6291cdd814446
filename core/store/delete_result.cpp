#include "store/delete_result.h"

#include <algorithm>
#include <fmt/format.h>
#include <system_error>

#include "base/error.h"

namespace espalier {
namespace fs = std::filesystem;

bool is_own_result(const fs::path& run_folder, const fs::path& result) {
    std::error_code error;
    const fs::path run = fs::canonical(run_folder, error);
    if (error || !fs::is_regular_file(run / "recipe.json", error)) return false;
    if (fs::is_symlink(fs::symlink_status(result, error))) return false;
    const fs::path whole = fs::canonical(result, error);
    if (error) return false;
    const auto [in_run, in_result] =
        std::mismatch(run.begin(), run.end(), whole.begin(), whole.end());
    return in_run == run.end() && in_result != whole.end();
}

void delete_result(const fs::path& run_folder, const fs::path& result) {
    if (!is_own_result(run_folder, result)) {
        throw Error(ErrorCode::UsageInvalid,
                    fmt::format("{} is no result of the run in {}, so it is not deleted.",
                                result.string(), run_folder.string()),
                    "Delete it in your file manager, if you are sure.");
    }
    std::error_code error;
    fs::remove_all(result, error);
    if (error) {
        throw Error(ErrorCode::DiskWrite,
                    fmt::format("{} could not be deleted: {}.", result.string(), error.message()),
                    "Check whether you may write to its folder.");
    }
}

}  // namespace espalier
