#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "store/look_at_model.h"
#include "store/model_roots.h"

namespace espalier {

/// Looks for models below some folders, one folder a step, so that whoever asks can show what there
/// is, do something else in between, or stop. Opens no weights and writes nothing. Links to folders
/// are followed, each folder is seen once: a circle of links ends.
class ModelFinder {
public:
    explicit ModelFinder(const std::vector<ModelRoot>& roots);

    bool is_done() const noexcept { return pending_.empty(); }
    /// Looks into one more folder. Not to be called when done.
    std::vector<FoundModel> step();

    /// Where something new would show: the folders that were seen so far, but for hub folders that
    /// lack nothing.
    const std::vector<std::filesystem::path>& folders() const noexcept { return folders_; }
    /// True if there were more folders than anyone keeps models in; the rest was left out.
    bool was_cut() const noexcept { return was_cut_; }

private:
    struct Pending {
        std::filesystem::path path;
        ModelOrigin origin = ModelOrigin::Folder;
        int depth = 0;
        std::string name;       ///< of the hub's repository; else the folder's own counts
        std::string publisher;  ///< of the hub's repository
    };

    bool is_new(const std::filesystem::path& folder);
    std::vector<FoundModel> look_at_repository(const Pending& place);
    std::vector<FoundModel> look_at_folder(const Pending& place);
    void add_subfolders(const Pending& place);

    std::vector<Pending> pending_;  ///< the next one last
    std::set<std::pair<std::uint64_t, std::uint64_t>> seen_;
    std::vector<std::filesystem::path> folders_;
    bool was_cut_ = false;
};

}  // namespace espalier
