#pragma once

#include <cmath>
#include <cstddef>
#include <cstring>
#include <vector>

#include "base/rng.h"
#include "kernels/matrix_view.h"
#include "tensor/dtype.h"
#include "tensor/float_formats.h"

namespace espalier {

/// Random bytes as blocks of `dtype`, every code and scale pattern included; only the
/// half-precision scales are set to sane numbers. Floats are normal.
class RandomWeights {
public:
    RandomWeights(DType dtype, std::size_t rows, std::size_t columns)
        : rows_(rows), columns_(columns), dtype_(dtype) {
        const DTypeInfo& type = info(dtype);
        const std::size_t num_blocks = rows * columns / type.block_size;
        bytes_.resize(num_blocks * type.block_bytes);
        Rng rng = Rng(11).stream(type.name);
        for (std::byte& byte : bytes_) byte = static_cast<std::byte>(rng.next());
        for (std::size_t i = 0; i < num_blocks; ++i) {
            make_sane(bytes_.data() + i * type.block_bytes, rng);
        }
    }

    kernels::MatrixView view() const {
        return {.dtype = dtype_,
                .bytes = bytes_,
                .rows = rows_,
                .columns = columns_,
                .row_stride = bytes_.size() / rows_};
    }

private:
    void make_sane(std::byte* block, Rng& rng) const {
        const auto half = [&](std::size_t offset, double value) {
            const std::uint16_t bits = float_to_f16(static_cast<float>(value));
            std::memcpy(block + offset, &bits, sizeof(bits));
        };
        switch (dtype_) {
            case DType::F32: {
                const auto value = static_cast<float>(rng.normal());
                std::memcpy(block, &value, sizeof(value));
                break;
            }
            case DType::F16:
                half(0, rng.normal());
                break;
            case DType::BF16: {
                const std::uint16_t bits = float_to_bf16(static_cast<float>(rng.normal()));
                std::memcpy(block, &bits, sizeof(bits));
                break;
            }
            case DType::Q6_K:
                half(208, 0.01 * rng.normal());
                break;
            case DType::Q2_K:
                half(80, 0.01 * rng.normal());
                half(82, 0.01 * rng.normal());
                break;
            case DType::Q4_K:
            case DType::Q5_K:
            case DType::Q4_1:
                half(0, 0.01 * rng.normal());
                half(2, 0.01 * rng.normal());
                break;
            case DType::MXFP4:  // 2^-7 to 2^8, and one of the subnormal scales now and then
                block[0] = static_cast<std::byte>(rng.next() % 64 == 0 ? rng.next() % 3
                                                                       : 120 + rng.next() % 16);
                break;
            default:
                half(0, 0.01 * rng.normal());
                break;
        }
    }

    std::size_t rows_;
    std::size_t columns_;
    DType dtype_;
    std::vector<std::byte> bytes_;
};

}  // namespace espalier
