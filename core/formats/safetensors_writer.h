#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/atomic_file.h"
#include "formats/tensor_stream.h"
#include "tensor/tensor_view.h"

namespace espalier {

/// Streams one `.safetensors` file: shapes first, then the bytes of each tensor in the same order.
class SafetensorsWriter {
public:
    /// @throws Error UsageInvalid for a type that safetensors has no name for
    SafetensorsWriter(const std::filesystem::path& path, std::vector<TensorSpec> specs,
                      const std::map<std::string, std::string>& metadata = {});

    /// The next piece of the tensor `name`, which must be the first unfinished one; large tensors
    /// come in several pieces.
    void write(std::string_view name, std::span<const std::byte> piece);

    /// @throws Error VerifyFailed if a tensor is incomplete
    void commit();

private:
    AtomicFile file_;
    TensorStream stream_;
};

}  // namespace espalier
