#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "tensor/tensor_view.h"

namespace espalier {

/// Keeps account of a file whose tensors are written one after the other, each in pieces.
class TensorStream {
public:
    /// @param path named in errors
    /// @throws Error UsageInvalid for a name that stands twice or a size that cannot be
    TensorStream(std::filesystem::path path, std::vector<TensorSpec> specs);

    std::span<const TensorSpec> specs() const noexcept { return specs_; }

    /// Accounts for the next piece of `name`; true if the tensor is complete with it.
    /// @throws Error VerifyFailed if another tensor is due or the piece is too long
    bool take(std::string_view name, std::uint64_t piece_bytes);

    /// @throws Error VerifyFailed if a tensor is incomplete
    void require_complete();

private:
    void skip_empty();

    std::filesystem::path path_;
    std::vector<TensorSpec> specs_;
    std::size_t current_ = 0;
    std::uint64_t remaining_ = 0;  ///< bytes still missing from specs_[current_]
};

}  // namespace espalier
