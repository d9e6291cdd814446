#include "store/model_roots.h"

#include <cstdlib>

namespace espalier {
namespace fs = std::filesystem;
namespace {

/// Empty unless it is an absolute path: what it would be relative to is chance.
fs::path folder_from(const char* variable) {
    const char* value = std::getenv(variable);
    fs::path path(value != nullptr ? value : "");
    return path.is_absolute() ? path : fs::path();
}

fs::path hub_cache(const fs::path& home) {
    for (const char* variable : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) {
        if (fs::path cache = folder_from(variable); !cache.empty()) return cache;
    }
    fs::path hub_home = folder_from("HF_HOME");
    if (hub_home.empty()) {
        fs::path cache = folder_from("XDG_CACHE_HOME");
        if (cache.empty() && !home.empty()) cache = home / ".cache";
        if (cache.empty()) return {};
        hub_home = cache / "huggingface";
    }
    return hub_home / "hub";
}

}  // namespace

std::string_view origin_text(ModelOrigin origin) noexcept {
    switch (origin) {
        case ModelOrigin::HubCache:
            return "hub cache";
        case ModelOrigin::LmStudio:
            return "LM Studio";
        case ModelOrigin::Folder:
            break;
    }
    return "folder";
}

std::vector<ModelRoot> known_model_roots() {
    std::vector<ModelRoot> roots;
    const fs::path home = folder_from("HOME");
    if (fs::path cache = hub_cache(home); !cache.empty()) {
        roots.push_back({std::move(cache), ModelOrigin::HubCache});
    }
    if (!home.empty()) {
        roots.push_back({home / ".lmstudio" / "models", ModelOrigin::LmStudio});
        roots.push_back({home / ".cache" / "lm-studio" / "models", ModelOrigin::LmStudio});
    }
    return roots;
}

}  // namespace espalier
