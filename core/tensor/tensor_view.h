#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace espalier {

/// A tensor as it lies in a file: contiguous, row-major. `bytes` belongs to whoever handed out the
/// view.
struct TensorView {
    DType dtype = DType::F32;
    Shape shape;
    std::span<const std::byte> bytes;
};

struct NamedTensor {
    std::string name;
    TensorView view;
};

/// What a writer needs to know before the data: everything but the data.
struct TensorSpec {
    std::string name;
    DType dtype = DType::F32;
    Shape shape;
};

}  // namespace espalier
