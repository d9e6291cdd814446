#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapped_file.h"
#include "formats/gguf_value.h"
#include "tensor/tensor_view.h"

namespace espalier {

/// One `.gguf` file (version 2 or 3), mapped and checked on opening. Shapes are given outermost
/// first, the reverse of the file's `ne`.
class GgufFile {
public:
    /// @throws Error of the E-FILE family that names the file and the field.
    explicit GgufFile(const std::filesystem::path& path);

    std::uint32_t version() const noexcept { return version_; }
    const GgufMetadata& metadata() const noexcept { return metadata_; }
    /// In the order of the file.
    std::span<const NamedTensor> tensors() const noexcept { return tensors_; }
    /// Null if there is no such tensor.
    const TensorView* find(std::string_view name) const noexcept;
    const MappedFile& file() const noexcept { return file_; }

private:
    MappedFile file_;
    std::uint32_t version_ = 0;
    GgufMetadata metadata_;
    std::vector<NamedTensor> tensors_;
    std::map<std::string, std::size_t, std::less<>> index_;
};

}  // namespace espalier
