#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/model_roots.h"

namespace espalier {

/// What keeps a model from being opened, as far as its folder tells.
enum class ModelGap {
    None,
    Weights,   ///< a config.json without weights
    Parts,     ///< some of its files
    Download,  ///< a download has not ended
    Format,    ///< weights in PyTorch's .bin form only
    Access,    ///< may not be read
    Gone,      ///< moved or deleted
};

/// "no weights", "parts missing", "unfinished download", …; empty for None.
std::string_view gap_text(ModelGap gap) noexcept;

struct ModelFile {
    std::filesystem::path path;
    std::uint64_t bytes = 0;
    bool operator==(const ModelFile&) const = default;
};

/// A model as its folder shows it; no weight file has been opened.
struct FoundModel {
    std::filesystem::path path;  ///< what ModelSource::open() takes
    std::string name;
    std::string publisher;  ///< "Qwen"; empty if the place does not say
    ModelOrigin origin = ModelOrigin::Folder;
    std::vector<ModelFile> files;
    std::uint64_t bytes = 0;        ///< of all files
    std::int64_t changed_unix = 0;  ///< of the newest file
    ModelGap gap = ModelGap::None;
    std::vector<std::string> missing;  ///< file names
    bool operator==(const FoundModel&) const = default;

    /// Changes whenever a file does.
    std::string stamp() const;
};

/// The models that lie directly in a folder: itself, if it is a hub folder, and each .gguf with all
/// its parts. Empty for a folder without models; one that may not be read gives a model with that
/// gap.
/// @param leaf true if the folder is known to be meant as one model: then a lone config.json counts
std::vector<FoundModel> models_in(const std::filesystem::path& folder, bool leaf = false);

/// The one model at `path`: a hub folder, or the .gguf with its parts. Nothing if there is none.
std::optional<FoundModel> look_at_model(const std::filesystem::path& path);

/// `path` with its folder made canonical. The file itself may be a link and stays one: in a hub
/// cache it leads to a file without a telling name.
std::filesystem::path model_key(const std::filesystem::path& path);

}  // namespace espalier
