#include "store/find_models.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <sys/stat.h>
#include <system_error>

#include "base/atomic_file.h"
#include "base/error.h"

namespace espalier {
namespace fs = std::filesystem;
namespace {

constexpr int kMostLevels = 8;
constexpr std::size_t kMostFolders = 20'000;
constexpr std::size_t kMostRevisionBytes = 256;
constexpr std::string_view kRepository = "models--";

bool is_folder(const fs::path& path) {
    std::error_code ignored;
    return fs::is_directory(path, ignored);
}

bool is_repository(const fs::path& folder) {
    return folder.filename().string().starts_with(kRepository);
}

/// What lies below holds no models: hidden folders, other kinds of repositories, recovered files.
bool is_skipped(const std::string& name) {
    return name.starts_with(".") || name.starts_with("datasets--") ||
           name.starts_with("spaces--") || name == "lost+found";
}

/// Sorted, so that the same folders are always walked in the same order.
std::vector<fs::path> subfolders(const fs::path& folder) {
    std::vector<fs::path> found;
    std::error_code error;
    fs::directory_iterator entries(folder, error);
    for (; !error && entries != fs::end(entries) && found.size() < kMostFolders;
         entries.increment(error)) {
        if (is_folder(entries->path())) found.push_back(entries->path());
    }
    std::sort(found.begin(), found.end());
    return found;
}

/// "models--Qwen--Qwen3-30B-A3B" -> Qwen, Qwen3-30B-A3B; old repositories have no owner.
std::pair<std::string, std::string> owner_and_name(const fs::path& repository) {
    const std::string text = repository.filename().string().substr(kRepository.size());
    const auto cut = text.find("--");
    if (cut == std::string::npos) return {{}, text};
    return {text.substr(0, cut), text.substr(cut + 2)};
}

/// The snapshot that refs/main names, if it says so and it is there.
std::optional<fs::path> main_snapshot(const fs::path& repository) {
    const fs::path reference = repository / "refs" / "main";
    std::error_code error;
    if (!fs::is_regular_file(reference, error) ||
        fs::file_size(reference, error) > kMostRevisionBytes)
        return std::nullopt;
    try {
        std::string revision = read_file(reference);
        revision.erase(std::remove_if(revision.begin(), revision.end(),
                                      [](unsigned char c) { return std::isspace(c) != 0; }),
                       revision.end());
        const bool is_plain = !revision.empty() && revision.front() != '.' &&
                              fs::path(revision).filename() == fs::path(revision);
        const fs::path snapshot = repository / "snapshots" / revision;
        if (is_plain && is_folder(snapshot)) return snapshot;
    } catch (const Error&) {
        return std::nullopt;  // then the newest snapshot counts
    }
    return std::nullopt;
}

std::optional<fs::path> newest_snapshot(const fs::path& repository) {
    std::optional<fs::path> newest;
    fs::file_time_type newest_time;
    for (const fs::path& snapshot : subfolders(repository / "snapshots")) {
        std::error_code ignored;
        const auto time = fs::last_write_time(snapshot, ignored);
        if (!newest || time > newest_time) {
            newest = snapshot;
            newest_time = time;
        }
    }
    return newest;
}

bool has_unfinished_blob(const fs::path& repository) {
    std::error_code error;
    fs::directory_iterator entries(repository / "blobs", error);
    for (; !error && entries != fs::end(entries); entries.increment(error)) {
        if (entries->path().extension() == ".incomplete") return true;
    }
    return false;
}

bool has_hub_folder(const std::vector<FoundModel>& models, const fs::path& folder) {
    return std::any_of(models.begin(), models.end(),
                       [&](const FoundModel& model) { return model.path == folder; });
}

bool has_whole_hub_folder(const std::vector<FoundModel>& models, const fs::path& folder) {
    return std::any_of(models.begin(), models.end(), [&](const FoundModel& model) {
        return model.path == folder && model.gap == ModelGap::None;
    });
}

}  // namespace

ModelFinder::ModelFinder(const std::vector<ModelRoot>& roots) {
    for (auto root = roots.rbegin(); root != roots.rend(); ++root) {
        if (is_folder(root->path)) pending_.push_back({root->path, root->origin, 0, {}, {}});
    }
}

bool ModelFinder::is_new(const fs::path& folder) {
    struct stat about {};
    if (::stat(folder.c_str(), &about) != 0) return false;
    return seen_.emplace(about.st_dev, about.st_ino).second;
}

std::vector<FoundModel> ModelFinder::step() {
    const Pending place = pending_.back();
    pending_.pop_back();
    if (!is_new(place.path)) return {};
    if (seen_.size() > kMostFolders) {
        was_cut_ = true;
        pending_.clear();
        return {};
    }
    return place.name.empty() && is_repository(place.path) ? look_at_repository(place)
                                                           : look_at_folder(place);
}

std::vector<FoundModel> ModelFinder::look_at_repository(const Pending& place) {
    const auto [owner, name] = owner_and_name(place.path);
    FoundModel unfinished{.path = place.path,
                          .name = name,
                          .publisher = owner,
                          .origin = place.origin,
                          .files = {},
                          .gap = ModelGap::Download,
                          .missing = {}};
    std::error_code error;
    fs::directory_iterator(place.path, error);
    if (error) {
        unfinished.gap = ModelGap::Access;
        return {unfinished};
    }
    folders_.push_back(place.path);
    auto snapshot = main_snapshot(place.path);
    if (!snapshot) snapshot = newest_snapshot(place.path);
    std::vector<FoundModel> models;
    if (snapshot) {
        models = look_at_folder({*snapshot, place.origin, place.depth + 1, name, owner});
    }
    const bool goes_deeper = !pending_.empty() && pending_.back().name == name;
    if (models.empty() && !goes_deeper && has_unfinished_blob(place.path)) {
        models.push_back(unfinished);
    }
    return models;
}

std::vector<FoundModel> ModelFinder::look_at_folder(const Pending& place) {
    const bool is_snapshot = !place.name.empty();
    std::vector<FoundModel> models = models_in(place.path, is_snapshot);
    for (FoundModel& model : models) {
        model.origin = place.origin;
        model.publisher = place.publisher;
        if (is_snapshot && model.path == place.path) model.name = place.name;
        // publisher/name/file.gguf
        if (place.origin == ModelOrigin::LmStudio && place.depth >= 2) {
            model.publisher = place.path.parent_path().filename().string();
        }
    }
    const bool is_whole = has_whole_hub_folder(models, place.path);
    if (!is_whole) folders_.push_back(place.path);
    if (has_hub_folder(models, place.path)) return models;
    if (place.depth < kMostLevels) add_subfolders(place);
    return models;
}

void ModelFinder::add_subfolders(const Pending& place) {
    const std::vector<fs::path> found = subfolders(place.path);
    for (auto folder = found.rbegin(); folder != found.rend(); ++folder) {
        if (is_skipped(folder->filename().string())) continue;
        pending_.push_back({*folder, place.origin, place.depth + 1, place.name, place.publisher});
    }
}

}  // namespace espalier
