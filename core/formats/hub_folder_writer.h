#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "tensor/tensor_view.h"

namespace espalier {

/// Streams a hub folder: `name.partial/` until commit(). Weights go into shards of at most
/// `max_shard_bytes`, with an index if there are several.
class HubFolderWriter {
public:
    /// @throws Error FileExists if `path` is there already
    HubFolderWriter(std::filesystem::path path, std::vector<TensorSpec> specs,
                    std::uint64_t max_shard_bytes = 5'000'000'000);
    /// Removes what was not committed.
    ~HubFolderWriter();
    HubFolderWriter(const HubFolderWriter&) = delete;
    HubFolderWriter& operator=(const HubFolderWriter&) = delete;

    /// The next piece of the tensor `name`; tensors come in the order of the specs.
    void write(std::string_view name, std::span<const std::byte> piece);
    void write_json(std::string_view file_name, const Json& json);
    void write_text(std::string_view file_name, std::string_view text);
    /// Under its own name. @throws Error FileMissing or DiskWrite
    void copy_file(const std::filesystem::path& source);
    /// @throws Error VerifyFailed if a tensor is incomplete
    void commit();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace espalier
