#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

namespace espalier {

/// Who keeps the models of a folder.
enum class ModelOrigin { HubCache, LmStudio, Folder };

/// "hub cache", "LM Studio", "folder".
std::string_view origin_text(ModelOrigin origin) noexcept;

/// A folder in which models are looked for.
struct ModelRoot {
    std::filesystem::path path;
    ModelOrigin origin = ModelOrigin::Folder;
    bool operator==(const ModelRoot&) const = default;
};

/// Where other programs keep models for this user, whether the folders exist or not: the cache of
/// the Hugging Face hub (HF_HUB_CACHE, else HF_HOME, else the XDG cache folder) and LM Studio's
/// folders. None is ever written to.
std::vector<ModelRoot> known_model_roots();

}  // namespace espalier
