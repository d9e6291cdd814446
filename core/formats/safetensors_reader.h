#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapped_file.h"
#include "tensor/tensor_view.h"

namespace espalier {

/// One `.safetensors` file, mapped. Every field of the header is checked on opening: afterwards all
/// views lie inside the file and have the bytes that their shape and type ask for.
class SafetensorsFile {
public:
    /// @throws Error of the E-FILE family that names the file and the field.
    explicit SafetensorsFile(const std::filesystem::path& path);

    /// In the order of their data.
    std::span<const NamedTensor> tensors() const noexcept { return tensors_; }
    /// Null if there is no such tensor. Valid while this object lives.
    const TensorView* find(std::string_view name) const noexcept;
    const std::map<std::string, std::string>& metadata() const noexcept { return metadata_; }
    const MappedFile& file() const noexcept { return file_; }

private:
    MappedFile file_;
    std::vector<NamedTensor> tensors_;
    std::map<std::string, std::size_t, std::less<>> index_;
    std::map<std::string, std::string> metadata_;
};

}  // namespace espalier
