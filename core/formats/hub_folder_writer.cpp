#include "formats/hub_folder_writer.h"

#include <fmt/format.h>
#include <map>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "base/atomic_file.h"
#include "base/error.h"
#include "formats/file_error.h"
#include "formats/safetensors_writer.h"

namespace espalier {
namespace fs = std::filesystem;
namespace {

/// Consecutive runs of specs, none above `max_bytes` unless a single tensor is.
std::vector<std::vector<TensorSpec>> cut_into_shards(std::vector<TensorSpec> specs,
                                                     std::uint64_t max_bytes) {
    std::vector<std::vector<TensorSpec>> shards(1);
    std::uint64_t filled = 0;
    for (auto& spec : specs) {
        const std::uint64_t bytes = tensor_bytes(spec.dtype, spec.shape).value_or(0);
        if (bytes > 0 && filled > 0 && filled + bytes > max_bytes) {
            shards.emplace_back();
            filled = 0;
        }
        filled += bytes;
        shards.back().push_back(std::move(spec));
    }
    return shards;
}

std::string shard_name(std::size_t index, std::size_t count) {
    if (count == 1) return "model.safetensors";
    return fmt::format("model-{:05}-of-{:05}.safetensors", index + 1, count);
}

}  // namespace

struct HubFolderWriter::State {
    fs::path path;
    fs::path partial;
    std::vector<std::vector<TensorSpec>> shards;
    std::size_t shard_index = 0;   ///< of `writer`
    std::size_t tensor_index = 0;  ///< the unfinished tensor within the shard
    std::optional<SafetensorsWriter> writer;
    std::uint64_t written = 0;  ///< of the unfinished tensor
    bool committed = false;

    ~State() {
        if (committed || partial.empty()) return;
        writer.reset();
        std::error_code ignored;
        fs::remove_all(partial, ignored);
    }

    void open_shard() {
        const fs::path file = partial / shard_name(shard_index, shards.size());
        // Without the format, older transformers refuse the file.
        writer.emplace(file, shards[shard_index],
                       std::map<std::string, std::string>{{"format", "pt"}});
        tensor_index = 0;
        written = 0;
    }

    std::uint64_t current_bytes() const {
        const auto& spec = shards[shard_index][tensor_index];
        return *tensor_bytes(spec.dtype, spec.shape);
    }

    /// Past finished tensors, into the next shard when this one is full.
    void advance() {
        while (tensor_index < shards[shard_index].size() && written == current_bytes()) {
            ++tensor_index;
            written = 0;
        }
        if (tensor_index == shards[shard_index].size() && shard_index + 1 < shards.size()) {
            writer->commit();
            ++shard_index;
            open_shard();
            advance();
        }
    }

    void write_index() const {
        nlohmann::json map = nlohmann::json::object();  // sorted, as others write it
        std::uint64_t total = 0;
        for (std::size_t i = 0; i < shards.size(); ++i) {
            for (const auto& spec : shards[i]) {
                map[spec.name] = shard_name(i, shards.size());
                total += *tensor_bytes(spec.dtype, spec.shape);
            }
        }
        const nlohmann::json index{{"metadata", {{"total_size", total}}}, {"weight_map", map}};
        write_file(partial / "model.safetensors.index.json", index.dump(2) + "\n");
    }
};

HubFolderWriter::HubFolderWriter(fs::path path, std::vector<TensorSpec> specs,
                                 std::uint64_t max_shard_bytes)
    : state_(std::make_unique<State>()) {
    if (path.filename().empty()) path = path.parent_path();  // "folder/"
    std::error_code error;
    if (fs::exists(path, error)) {
        throw Error(ErrorCode::FileExists, fmt::format("{} exists already.", path.string()),
                    "Choose another name or delete it first.");
    }
    state_->path = path;
    state_->partial = path.string() + ".partial";
    fs::remove_all(state_->partial, error);  // left behind by a run that was killed
    fs::create_directories(state_->partial, error);
    if (error) {
        throw Error(ErrorCode::DiskWrite,
                    fmt::format("The folder {} cannot be made: {}.", state_->partial.string(),
                                error.message()),
                    "Check that its parent exists and is writable.");
    }
    state_->shards = cut_into_shards(std::move(specs), max_shard_bytes);
    state_->open_shard();
    state_->advance();
}

HubFolderWriter::~HubFolderWriter() = default;

void HubFolderWriter::write(std::string_view name, std::span<const std::byte> piece) {
    state_->writer->write(name, piece);
    state_->written += piece.size();
    state_->advance();
}

void HubFolderWriter::write_json(std::string_view file_name, const Json& json) {
    write_json_file(state_->partial / file_name, json);
}

void HubFolderWriter::write_text(std::string_view file_name, std::string_view text) {
    write_file(state_->partial / file_name, text);
}

void HubFolderWriter::copy_file(const fs::path& source) {
    std::error_code error;
    fs::copy_file(source, state_->partial / source.filename(), fs::copy_options::overwrite_existing,
                  error);
    if (error) {
        throw Error(ErrorCode::DiskWrite,
                    fmt::format("{} cannot be copied to {}: {}.", source.string(),
                                state_->partial.string(), error.message()),
                    "Check that the file is readable and the disk has room.");
    }
}

void HubFolderWriter::commit() {
    state_->writer->commit();
    if (state_->shard_index + 1 < state_->shards.size()) {
        throw Error(
            ErrorCode::VerifyFailed,
            fmt::format("{} cannot be written: shard {} of {} was never reached.",
                        state_->path.string(), state_->shard_index + 2, state_->shards.size()),
            "Please report this: it is a mistake of the program.");
    }
    if (state_->shards.size() > 1) state_->write_index();
    commit_folder(state_->partial, state_->path);
    state_->committed = true;
}

}  // namespace espalier
