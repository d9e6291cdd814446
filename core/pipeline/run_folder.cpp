#include "pipeline/run_folder.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "base/atomic_file.h"
#include "base/error.h"

namespace espalier {
namespace fs = std::filesystem;
namespace {

constexpr const char* kLockName = ".lock";
constexpr const char* kRecipeName = "recipe.json";
constexpr const char* kRecordName = "stage.json";

/// What a process that was killed before it wrote the recipe may have left.
bool is_leftover(const std::string& name) {
    return name == kLockName || name == "recipe.json.partial";
}

void create_folder(const fs::path& path) {
    std::error_code error;
    fs::create_directories(path, error);
    if (error) {
        throw Error(
            ErrorCode::DiskWrite,
            fmt::format("The folder {} could not be made: {}.", path.string(), error.message()),
            "Choose a folder that you can write to.");
    }
}

/// Everything that can be said without the lock, so that a wrong folder gets not even a lock file.
void check_contents(const fs::path& path, bool resumes) {
    if (fs::exists(path / kRecipeName)) {
        if (resumes) return;
        throw Error(ErrorCode::FileExists, fmt::format("{} holds a run already.", path.string()),
                    "Choose another folder, or resume that run.");
    }
    for (const auto& entry : fs::directory_iterator(path)) {
        if (is_leftover(entry.path().filename().string())) continue;
        throw Error(ErrorCode::FileExists,
                    fmt::format("The folder {} is not empty: it holds {}.", path.string(),
                                entry.path().filename().string()),
                    "Choose an empty or a new folder for the run.");
    }
}

}  // namespace

RunFolder::RunFolder(fs::path path, const Recipe& recipe, bool resumes)
    : path_(fs::absolute(path).lexically_normal()) {
    create_folder(path_);
    check_contents(path_, resumes);
    take_lock();
    try {
        check_contents(path_, resumes);
        if (!fs::exists(path_ / kRecipeName)) {
            write_json_file(path_ / kRecipeName, to_json(recipe));
        } else if (load_recipe(path_ / kRecipeName) != recipe) {
            throw Error(ErrorCode::RunRecipe,
                        fmt::format("{} was begun with another recipe.", path_.string()),
                        "Resume it with its own recipe.json, or choose another folder.");
        }
    } catch (...) {
        ::close(std::exchange(lock_fd_, -1));
        throw;
    }
}

RunFolder::~RunFolder() {
    if (lock_fd_ >= 0) ::close(lock_fd_);
}

void RunFolder::take_lock() {
    const fs::path lock = path_ / kLockName;
    lock_fd_ = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (lock_fd_ < 0) {
        throw Error(
            ErrorCode::DiskWrite,
            fmt::format("{} could not be written: {}.", lock.string(), std::strerror(errno)),
            "Choose a folder that you can write to.");
    }
    if (::flock(lock_fd_, LOCK_EX | LOCK_NB) == 0) return;
    ::close(std::exchange(lock_fd_, -1));
    throw Error(ErrorCode::RunLocked,
                fmt::format("Another process is working on the run in {}.", path_.string()),
                "Wait for it or stop it first.");
}

bool RunFolder::is_in_use(const fs::path& path) {
    const int fd = ::open((path / kLockName).c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    const bool free = ::flock(fd, LOCK_SH | LOCK_NB) == 0;
    ::close(fd);
    return !free;
}

fs::path RunFolder::stage_path(std::size_t index, std::string_view stage) const {
    return path_ / fmt::format("{:02}-{}", index + 1, stage);
}

fs::path RunFolder::partial_path(std::size_t index, std::string_view stage) const {
    return stage_path(index, stage).string() + ".partial";
}

std::optional<Json> RunFolder::finished_stage(std::size_t index, std::string_view stage) const {
    const fs::path record = stage_path(index, stage) / kRecordName;
    if (!fs::exists(record)) return std::nullopt;
    return read_json_file(record);
}

void RunFolder::finish_stage(std::size_t index, std::string_view stage, const Json& record) {
    const fs::path partial = partial_path(index, stage);
    write_json_file(partial / kRecordName, record);
    commit_folder(partial, stage_path(index, stage));
}

void RunFolder::replace_record(std::size_t index, std::string_view stage,
                               const Json& record) const {
    write_json_file(stage_path(index, stage) / kRecordName, record);
}

void RunFolder::write_report(const Json& report, const std::string& markdown) const {
    write_file(path_ / "report.md", markdown);
    write_json_file(path_ / "report.json", report);
}

}  // namespace espalier
