#include "store/look_at_model.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <fmt/format.h>
#include <map>
#include <set>
#include <system_error>
#include <unistd.h>

#include "base/error.h"
#include "base/json.h"
#include "store/gguf_parts.h"

namespace espalier {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMostEntries = 20'000;  ///< of one folder
constexpr std::size_t kMostConfigBytes = 1U << 20;
constexpr std::size_t kMostIndexBytes = 64U << 20;

/// What a folder holds, by name.
struct Listing {
    fs::path folder;
    std::map<std::string, ModelFile> files;
    std::set<std::string> broken;  ///< links that lead nowhere
    bool is_readable = true;

    bool has(const std::string& name) const { return files.contains(name); }
    bool mentions(const std::string& name) const { return has(name) || broken.contains(name); }
};

Listing list(const fs::path& folder) {
    Listing listing{folder, {}, {}, true};
    std::error_code error;
    fs::directory_iterator entries(folder, error);
    listing.is_readable = !error;
    for (std::size_t count = 0; !error && entries != fs::end(entries) && count < kMostEntries;
         entries.increment(error), ++count) {
        std::error_code ignored;  // an entry that vanishes meanwhile is not there
        const std::string name = entries->path().filename().string();
        if (entries->is_regular_file(ignored)) {
            const std::uintmax_t bytes = entries->file_size(ignored);
            listing.files[name] = {entries->path(), ignored ? 0 : bytes};
        } else if (entries->is_symlink(ignored) && !entries->exists(ignored)) {
            listing.broken.insert(name);
        }
    }
    return listing;
}

bool may_read(const fs::path& file) { return ::access(file.c_str(), R_OK) == 0; }

std::int64_t changed_unix(const fs::path& file) {
    std::error_code error;
    const auto time = fs::last_write_time(file, error);
    if (error) return 0;
    const auto since = std::chrono::file_clock::to_sys(time).time_since_epoch();
    return std::chrono::duration_cast<std::chrono::seconds>(since).count();
}

void add_file(FoundModel& model, const ModelFile& file) {
    model.files.push_back(file);
    model.bytes += file.bytes;
    model.changed_unix = std::max(model.changed_unix, changed_unix(file.path));
    if (!may_read(file.path)) {
        model.gap = ModelGap::Access;
        model.missing.push_back(file.path.filename().string());
    }
}

bool is_shard(std::string_view name) {
    return name.starts_with("model-") && name.ends_with(".safetensors");
}

bool is_torch_weight(std::string_view name) {
    return name.starts_with("pytorch_model") && name.ends_with(".bin");
}

bool is_weight(const std::string& name) {
    return name == "model.safetensors" || name == "model.safetensors.index.json" ||
           is_shard(name) || is_torch_weight(name);
}

bool has_weights(const Listing& listing) {
    const auto named = [](const auto& entry) { return is_weight(entry.first); };
    return std::any_of(listing.files.begin(), listing.files.end(), named) ||
           std::any_of(listing.broken.begin(), listing.broken.end(), is_weight);
}

/// Other programs have files of that name too.
bool is_model_config(const Listing& listing) {
    const auto found = listing.files.find("config.json");
    if (found == listing.files.end()) return listing.broken.contains("config.json");
    try {
        const Json config = read_json_file(found->second.path, kMostConfigBytes);
        return config.is_object() &&
               (config.contains("model_type") || config.contains("architectures"));
    } catch (const Error&) {
        return false;  // whatever it is, it is no config of a model
    }
}

/// The files that the index names.
std::set<std::string> shards_of(const fs::path& index) {
    std::set<std::string> shards;
    const Json json = read_json_file(index, kMostIndexBytes);
    const auto map = json.is_object() ? json.find("weight_map") : json.end();
    if (!json.is_object() || map == json.end() || !map->is_object()) return shards;
    for (const auto& [tensor, file] : map->items()) {
        if (file.is_string()) shards.insert(file.get<std::string>());
    }
    return shards;
}

/// A download into a folder keeps what is not whole under .cache; one into the cache beside the
/// snapshots.
bool is_downloading(const fs::path& folder) {
    const std::array<fs::path, 2> places{folder / ".cache" / "huggingface" / "download",
                                         folder.parent_path().parent_path() / "blobs"};
    for (const fs::path& place : places) {
        std::error_code error;
        fs::directory_iterator entries(place, error);
        for (std::size_t count = 0; !error && entries != fs::end(entries) && count < kMostEntries;
             entries.increment(error), ++count) {
            if (entries->path().extension() == ".incomplete") return true;
        }
    }
    return false;
}

void require(FoundModel& model, const Listing& listing, const std::string& name) {
    if (listing.has(name)) return;
    model.gap = listing.broken.contains(name) ? ModelGap::Download : ModelGap::Parts;
    model.missing.push_back(name);
}

void require_weights(FoundModel& model, const Listing& listing) {
    constexpr const char* kIndex = "model.safetensors.index.json";
    const auto any = [&](auto&& fits) {
        return std::any_of(listing.files.begin(), listing.files.end(),
                           [&](const auto& file) { return fits(file.first); });
    };
    if (listing.has("model.safetensors")) return;
    if (listing.has(kIndex)) {
        try {
            for (const std::string& shard : shards_of(listing.folder / kIndex))
                require(model, listing, shard);
        } catch (const Error&) {
            model.gap = ModelGap::Parts;  // an index that cannot be read names nothing
            model.missing.emplace_back(kIndex);
        }
    } else if (any(is_shard) || listing.mentions(kIndex)) {
        require(model, listing, kIndex);
    } else if (listing.mentions("model.safetensors")) {
        require(model, listing, "model.safetensors");
    } else if (any(is_torch_weight)) {
        model.gap = ModelGap::Format;
    } else {
        model.gap = ModelGap::Weights;
    }
}

std::string folder_name(const fs::path& folder) {
    const fs::path name = folder.filename();
    return (name == "model" ? folder.parent_path().filename() : name).string();
}

FoundModel hub_folder(const Listing& listing) {
    FoundModel model{.path = listing.folder,
                     .name = folder_name(listing.folder),
                     .publisher = {},
                     .files = {},
                     .missing = {}};
    require_weights(model, listing);
    require(model, listing, "config.json");
    if ((model.gap == ModelGap::Weights || model.gap == ModelGap::Parts) &&
        is_downloading(listing.folder)) {
        model.gap = ModelGap::Download;
    }
    for (const auto& [name, file] : listing.files) {
        if (!is_gguf_name(name) && !unfinished_gguf(name)) add_file(model, file);
    }
    return model;
}

FoundModel gguf_of(const Listing& listing, const GgufParts& parts) {
    FoundModel model{.path = listing.folder / parts.first_name(),
                     .name = parts.stem,
                     .publisher = {},
                     .files = {},
                     .missing = {}};
    for (const std::string& name : parts.names()) {
        const auto file = listing.files.find(name);
        if (file == listing.files.end()) {
            require(model, listing, name);
        } else {
            add_file(model, file->second);
        }
    }
    // Not the first part: the path must be there for whoever asks for it.
    if (!listing.has(parts.first_name()) && !model.files.empty()) {
        model.path = model.files.front().path;
    }
    return model;
}

void add_ggufs(std::vector<FoundModel>& models, const Listing& listing) {
    std::set<GgufParts> sets;
    for (const auto& [name, file] : listing.files) {
        if (is_gguf_name(name)) sets.insert(gguf_parts(name));
    }
    for (const std::string& name : listing.broken) {
        if (is_gguf_name(name)) sets.insert(gguf_parts(name));
    }
    for (const GgufParts& parts : sets) models.push_back(gguf_of(listing, parts));
    for (const auto& [name, file] : listing.files) {
        const auto whole = unfinished_gguf(name);
        if (!whole || sets.contains(gguf_parts(*whole))) continue;
        FoundModel model{.path = file.path,
                         .name = gguf_parts(*whole).stem,
                         .publisher = {},
                         .files = {},
                         .gap = ModelGap::Download,
                         .missing = {*whole}};
        add_file(model, file);
        models.push_back(std::move(model));
    }
}

}  // namespace

std::string_view gap_text(ModelGap gap) noexcept {
    switch (gap) {
        case ModelGap::Weights:
            return "no weights";
        case ModelGap::Parts:
            return "parts missing";
        case ModelGap::Download:
            return "unfinished download";
        case ModelGap::Format:
            return "no safetensors";
        case ModelGap::Access:
            return "not readable";
        case ModelGap::Gone:
            return "not there";
        case ModelGap::None:
            break;
    }
    return "";
}

std::string FoundModel::stamp() const {
    return fmt::format("{}-{}-{}", files.size(), bytes, changed_unix);
}

std::vector<FoundModel> models_in(const fs::path& folder, bool leaf) {
    const Listing listing = list(folder);
    std::vector<FoundModel> models;
    if (!listing.is_readable) {
        models.push_back({.path = folder,
                          .name = folder_name(folder),
                          .publisher = {},
                          .files = {},
                          .gap = ModelGap::Access,
                          .missing = {folder.filename().string()}});
        return models;
    }
    const bool has_config = listing.mentions("config.json");
    const bool is_model = has_config && (has_weights(listing) || is_model_config(listing));
    if (is_model || (leaf && has_weights(listing))) models.push_back(hub_folder(listing));
    add_ggufs(models, listing);
    return models;
}

std::optional<FoundModel> look_at_model(const fs::path& path) {
    const fs::path whole = model_key(path);
    std::error_code ignored;
    const bool is_folder = fs::is_directory(whole, ignored);
    if (!is_folder && !fs::exists(whole, ignored)) return std::nullopt;
    if (!is_folder && !is_gguf_name(whole.filename().string())) return std::nullopt;
    for (FoundModel& model : models_in(is_folder ? whole : whole.parent_path())) {
        const bool is_it = is_folder ? model.path == whole
                                     : std::any_of(model.files.begin(), model.files.end(),
                                                   [&](const auto& f) { return f.path == whole; });
        if (is_it) return std::move(model);
    }
    return std::nullopt;
}

fs::path model_key(const fs::path& path) {
    std::error_code error;
    const fs::path whole = fs::absolute(path, error).lexically_normal();
    if (fs::is_directory(whole, error)) {
        const fs::path canonical = fs::canonical(whole, error);
        return error ? whole : canonical;
    }
    const fs::path folder = fs::weakly_canonical(whole.parent_path(), error);
    return error ? whole : folder / whole.filename();
}

}  // namespace espalier
