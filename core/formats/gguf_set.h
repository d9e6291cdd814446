#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/gguf_reader.h"

namespace espalier {

/// The files that a path names: all that are there of the parts `NAME-0000i-of-0000n.gguf` of a
/// split model, whichever of them it is, or the path itself. Nothing is opened.
std::vector<std::filesystem::path> split_gguf_files(const std::filesystem::path& path);

/// A model in GGUF form: one file, or all the parts `NAME-00001-of-00003.gguf` of a split one.
class GgufSet {
public:
    /// @param path the file, or the first part
    /// @throws Error FileMissing for a missing part, FileUnsupported for a part other than the
    /// first, FileMalformed for a part of another model
    explicit GgufSet(const std::filesystem::path& path);

    const std::filesystem::path& path() const noexcept { return files_.front()->file().path(); }
    /// The first file; in a split model it holds all keys.
    const GgufFile& first() const noexcept { return *files_.front(); }
    const GgufMetadata& metadata() const noexcept { return first().metadata(); }
    /// Of all parts, in their order.
    std::span<const NamedTensor> tensors() const noexcept { return tensors_; }
    /// Null if there is no such tensor.
    const TensorView* find(std::string_view name) const noexcept;
    /// Gives the pages of a view back to the system.
    void release(const TensorView& view) const noexcept;

private:
    void add_parts(std::int64_t count);
    void collect_tensors();

    std::vector<std::unique_ptr<GgufFile>> files_;
    std::vector<NamedTensor> tensors_;
    std::map<std::string, std::size_t, std::less<>> index_;
};

}  // namespace espalier
