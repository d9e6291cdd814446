#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/matrix_view.h"
#include "model/model_source.h"
#include "tensor/buffer.h"

namespace espalier {

/// A weight matrix for the kernels: in place in its file where its rows lie evenly spaced (as MXFP4
/// does, too, whose scales lie in a tensor of their own), else an own copy: of the rows as they are
/// stored, or decoded (to bfloat16 where that loses nothing, else to float32) if the file has it
/// transposed or in parts.
class WeightMatrix {
public:
    WeightMatrix() = default;
    /// Reads nothing yet. Keeps `source` by reference.
    /// @throws Error FileUnsupported if no kernel reads the stored type
    WeightMatrix(const ModelSource& source, const TensorKey& key);

    bool is_empty() const noexcept { return source_ == nullptr; }
    /// Its bytes are there once is_ready(); rows and columns always.
    const kernels::MatrixView& view() const noexcept { return view_; }
    bool is_ready() const noexcept { return is_empty() || view_.bytes.data() != nullptr; }
    /// Memory that a copy takes, at most; 0 = none is needed.
    std::uint64_t copy_bytes() const noexcept;
    /// Makes the copy if one is needed and not there.
    void prepare();
    /// Drops the copy, if there is one.
    void release() noexcept;

    /// RotaryPairs are multiplied as they lie: products come out in that order. Everything else is
    /// AsNamed.
    RowOrder rows() const noexcept { return rows_; }

private:
    void view_stored(const StoredTensor& stored);
    bool view_pair();
    void copy_rows(const StoredTensor& stored);
    void decode();

    const ModelSource* source_ = nullptr;
    TensorKey key_;
    kernels::MatrixView view_;
    RowOrder rows_ = RowOrder::AsNamed;
    bool is_copy_ = false;
    Buffer<std::byte> copy_;
};

}  // namespace espalier
