#include "formats/hub_folder.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <set>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "formats/file_error.h"

namespace espalier {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kConfig = "config.json";
constexpr std::string_view kSingleFile = "model.safetensors";
constexpr std::string_view kIndex = "model.safetensors.index.json";

bool is_file(const fs::path& path) {
    std::error_code ignored;
    return fs::is_regular_file(path, ignored);
}

/// [tensor name, file name] in the order of the index.
using WeightMap = std::vector<std::pair<std::string, std::string>>;

/// Shards lie beside their index: anything else would read files that the user did not choose.
void check_shard_name(const fs::path& index, const std::string& name) {
    const fs::path path(name);
    if (!name.empty() && path.filename() == path && name != "." && name != ".." &&
        name.find('\\') == std::string::npos && name.find('\0') == std::string::npos) {
        return;
    }
    throw malformed_file(index,
                         fmt::format("weight_map names the file {}, which is not a plain file name "
                                     "inside the folder",
                                     in_quotes(name)));
}

WeightMap read_weight_map(const fs::path& index) {
    const Json json = read_json_file(index);
    const auto found = json.is_object() ? json.find("weight_map") : json.end();
    if (!json.is_object() || found == json.end() || !found->is_object()) {
        throw malformed_file(index, "it has no object weight_map");
    }
    WeightMap map;
    for (const auto& [tensor, file] : found->items()) {
        if (!file.is_string()) {
            throw malformed_file(
                index, fmt::format("weight_map gives {} no file name", in_quotes(tensor)));
        }
        map.emplace_back(tensor, file.get<std::string>());
        check_shard_name(index, map.back().second);
    }
    return map;
}

Error no_weights(const fs::path& folder) {
    return {
        ErrorCode::FileMissing,
        fmt::format("{} has neither {} nor {}.", folder.string(), kSingleFile, kIndex),
        "Finish the download; weights in PyTorch's .bin form must be converted to safetensors."};
}

}  // namespace

bool HubFolder::looks_like_one(const fs::path& path) { return is_file(path / kConfig); }

HubFolder::HubFolder(const fs::path& path) : path_(path) {
    if (!looks_like_one(path)) {
        throw Error(ErrorCode::FileMissing, fmt::format("{} has no {}.", path.string(), kConfig),
                    "Choose a folder with a whole model, or a .gguf file.");
    }
    config_ = read_json_file(path / kConfig);
    if (!config_.is_object()) throw malformed_file(path / kConfig, "it is not a JSON object");
    if (is_file(path / kSingleFile)) {
        add_file(std::string(kSingleFile));
        return;
    }
    const fs::path index = path / kIndex;
    if (!is_file(index)) throw no_weights(path);
    const WeightMap map = read_weight_map(index);
    std::set<std::string> shards;
    for (const auto& [tensor, file] : map) shards.insert(file);
    for (const auto& file : shards) {
        if (!is_file(path / file)) {
            throw Error(
                ErrorCode::FileMissing,
                fmt::format("{} is missing, though {} names it.", (path / file).string(), kIndex),
                "Finish the download of the model.");
        }
        add_file(file);
    }
    for (const auto& [tensor, file] : map) {
        if (find(tensor)) continue;
        throw malformed_file(index, fmt::format("weight_map places tensor {} in {}, which lacks it",
                                                in_quotes(tensor), file));
    }
}

void HubFolder::add_file(const std::string& name) {
    files_.push_back(std::make_unique<SafetensorsFile>(path_ / name));
    for (const auto& tensor : files_.back()->tensors()) {
        if (!index_.emplace(tensor.name, tensors_.size()).second) {
            throw malformed_file(path_ / name, fmt::format("tensor {} stands in another shard too",
                                                           in_quotes(tensor.name)));
        }
        tensors_.push_back(tensor);
    }
}

const TensorView* HubFolder::find(std::string_view name) const noexcept {
    const auto found = index_.find(name);
    return found == index_.end() ? nullptr : &tensors_[found->second].view;
}

void HubFolder::release(const TensorView& view) const noexcept {
    for (const auto& file : files_) {
        if (file->file().contains(view.bytes)) file->file().release(view.bytes);
    }
}

std::vector<fs::path> HubFolder::companion_files() const {
    static constexpr std::array<std::string_view, 17> kNames{
        "LICENSE",
        "LICENSE.txt",
        "NOTICE",
        "added_tokens.json",
        "chat_template.jinja",
        "chat_template.json",
        "generation_config.json",
        "merges.txt",
        "preprocessor_config.json",
        "processor_config.json",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer.model",
        "tokenizer_config.json",
        "video_preprocessor_config.json",
        "vocab.json",
        "vocab.txt",
    };
    std::vector<fs::path> found;
    for (const auto name : kNames) {
        if (is_file(path_ / name)) found.push_back(path_ / name);
    }
    return found;
}

}  // namespace espalier
