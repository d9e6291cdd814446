#include "tensor/shape.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/checked.h"

namespace espalier {

std::optional<std::uint64_t> num_elements(std::span<const std::int64_t> shape) noexcept {
    std::uint64_t count = 1;
    bool overflows = false;
    bool is_empty = false;
    for (const std::int64_t dim : shape) {
        if (dim < 0) return std::nullopt;
        is_empty = is_empty || dim == 0;
        const auto product = checked_multiply(count, static_cast<std::uint64_t>(dim));
        overflows = overflows || !product;
        count = product.value_or(1);
    }
    if (is_empty) return 0;
    if (overflows) return std::nullopt;
    return count;
}

std::optional<std::uint64_t> tensor_bytes(DType dtype,
                                          std::span<const std::int64_t> shape) noexcept {
    const auto count = num_elements(shape);
    const DTypeInfo& type = info(dtype);
    if (!count) return std::nullopt;
    const std::uint64_t row = shape.empty() ? 1 : static_cast<std::uint64_t>(shape.back());
    if (row % type.block_size != 0) return std::nullopt;
    return checked_multiply(*count / type.block_size, type.block_bytes);
}

std::string shape_text(std::span<const std::int64_t> shape) {
    return fmt::format("[{}]", fmt::join(shape, ", "));
}

}  // namespace espalier
