#include "model/hub_model.h"

#include "base/atomic_file.h"
#include "model/config_from_hub.h"

namespace espalier {
namespace fs = std::filesystem;
namespace {

Json read_if_there(const fs::path& path) {
    std::error_code ignored;
    return fs::is_regular_file(path, ignored) ? read_json_file(path) : Json();
}

/// A text, or a list of {name, template} of which "default" counts.
std::string template_in(const Json& config) {
    const auto found = config.is_object() ? config.find("chat_template") : config.end();
    if (!config.is_object() || found == config.end()) return {};
    if (found->is_string()) return found->get<std::string>();
    if (!found->is_array()) return {};
    for (const auto& item : *found) {
        if (!item.is_object() || item.value("name", Json()) != Json("default")) continue;
        const auto text = item.find("template");
        if (text != item.end() && text->is_string()) return text->get<std::string>();
    }
    return {};
}

}  // namespace

HubModel::HubModel(const fs::path& path) : folder_(path) {
    path_ = path;
    config_ = config_from_hub(folder_.config(), read_if_there(path / "generation_config.json"),
                              (path / "config.json").string());
    place_tensors(*hub_names(config_.family));
}

std::optional<TokenizerFiles> HubModel::tokenizer_files() const {
    TokenizerFiles files;
    files.tokenizer = read_if_there(path_ / "tokenizer.json");
    if (files.tokenizer.is_null()) return std::nullopt;
    files.config = read_if_there(path_ / "tokenizer_config.json");
    const fs::path jinja = path_ / "chat_template.jinja";
    std::error_code ignored;
    if (fs::is_regular_file(jinja, ignored)) {
        files.chat_template = read_file(jinja);
    } else {
        files.chat_template = template_in(files.config);
    }
    return files;
}

}  // namespace espalier
