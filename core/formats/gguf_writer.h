#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "base/atomic_file.h"
#include "formats/gguf_value.h"
#include "formats/tensor_stream.h"
#include "tensor/tensor_view.h"

namespace espalier {

/// Streams one GGUF v3 file: keys and shapes first, then the bytes of each tensor in the same
/// order.
class GgufWriter {
public:
    /// @throws Error GgufInexpressible for a type, name or shape that the format does not have
    GgufWriter(const std::filesystem::path& path, const GgufMetadata& metadata,
               std::vector<TensorSpec> specs);

    /// The next piece of the tensor `name`, which must be the first unfinished one.
    void write(std::string_view name, std::span<const std::byte> piece);

    /// @throws Error VerifyFailed if a tensor is incomplete
    void commit();

private:
    void pad();

    AtomicFile file_;
    TensorStream stream_;
    std::uint64_t alignment_ = 0;
};

}  // namespace espalier
