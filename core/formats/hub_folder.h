#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "formats/hub_folder_writer.h"
#include "formats/safetensors_reader.h"

namespace espalier {

/// A model folder as the Hugging Face hub has it: config.json and one or more safetensors files,
/// joined by model.safetensors.index.json where there are several.
class HubFolder {
public:
    /// @throws Error if config.json is missing, a shard or a tensor that the index names is
    /// missing, a path of the index leaves the folder, or two shards hold the same name.
    explicit HubFolder(const std::filesystem::path& path);

    /// True if `path` is a folder with a config.json.
    static bool looks_like_one(const std::filesystem::path& path);

    const std::filesystem::path& path() const noexcept { return path_; }
    const Json& config() const noexcept { return config_; }
    /// All tensors of all files, sorted by file, then by position.
    std::span<const NamedTensor> tensors() const noexcept { return tensors_; }
    const TensorView* find(std::string_view name) const noexcept;
    /// Gives the pages of a view back to the system.
    void release(const TensorView& view) const noexcept;
    /// tokenizer.json, tokenizer_config.json, generation_config.json, chat_template.jinja, …: every
    /// other regular file at the top of the folder that a model needs beside its weights.
    std::vector<std::filesystem::path> companion_files() const;

private:
    void add_file(const std::string& name);

    std::filesystem::path path_;
    Json config_;
    std::vector<std::unique_ptr<SafetensorsFile>> files_;
    std::vector<NamedTensor> tensors_;
    std::map<std::string, std::size_t, std::less<>> index_;
};

}  // namespace espalier
