#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "pipeline/recipe.h"

namespace espalier {

/// A run on disk: recipe.json, one folder a stage (`01-calibrate/`, …), report.json, report.md and
/// log.txt. Held under an exclusive lock while it lives; killing the process at any moment loses no
/// finished stage.
class RunFolder {
public:
    /// Creates it, or with `resumes` opens one that holds the same recipe.
    /// @throws Error RunLocked if another process works in it, FileExists if it holds something
    /// else or must not be resumed, RunRecipe if it holds another recipe
    RunFolder(std::filesystem::path path, const Recipe& recipe, bool resumes);
    ~RunFolder();
    RunFolder(const RunFolder&) = delete;
    RunFolder& operator=(const RunFolder&) = delete;

    /// True if a process holds the run at `path`: it is going on now.
    static bool is_in_use(const std::filesystem::path& path);

    const std::filesystem::path& path() const noexcept { return path_; }
    std::filesystem::path stage_path(std::size_t index, std::string_view stage) const;
    std::filesystem::path partial_path(std::size_t index, std::string_view stage) const;
    /// The stage's record if it is finished.
    std::optional<Json> finished_stage(std::size_t index, std::string_view stage) const;
    /// Writes stage.json into the partial folder and gives it its final name, after fsync.
    void finish_stage(std::size_t index, std::string_view stage, const Json& record);
    /// The same stage's record, with a word more.
    void replace_record(std::size_t index, std::string_view stage, const Json& record) const;
    void write_report(const Json& report, const std::string& markdown) const;

private:
    void take_lock();

    std::filesystem::path path_;
    int lock_fd_ = -1;
};

}  // namespace espalier
