#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace espalier {

/// Every type that a tensor on disk can have: the scalars of safetensors and GGUF, and ggml's
/// blocks.
enum class DType : std::uint8_t {
    Bool,
    U8,
    I8,
    F8E5M2,
    F8E4M3,
    F8E8M0,
    I16,
    U16,
    F16,
    BF16,
    I32,
    U32,
    F32,
    I64,
    U64,
    F64,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q2_K,
    Q3_K,
    Q4_K,
    Q5_K,
    Q6_K,
    IQ2_XXS,
    IQ2_XS,
    IQ3_XXS,
    IQ1_S,
    IQ4_NL,
    IQ3_S,
    IQ2_S,
    IQ4_XS,
    IQ1_M,
    TQ1_0,
    TQ2_0,
    MXFP4,
    NVFP4,
    Q1_0,
    Q2_0,
};

inline constexpr std::size_t kNumDTypes = static_cast<std::size_t>(DType::Q2_0) + 1;

struct DTypeInfo {
    std::string_view name;                   ///< "BF16", "Q4_K"
    std::size_t block_size;                  ///< elements in a block; 1 for scalars
    std::size_t block_bytes;                 ///< bytes of a block
    std::optional<std::uint32_t> ggml_type;  ///< the number in a GGUF file, if GGUF has it
    std::string_view safetensors_name;       ///< "" if safetensors has none
};

const DTypeInfo& info(DType dtype) noexcept;

std::optional<DType> dtype_from_ggml(std::uint32_t ggml_type) noexcept;
std::optional<DType> dtype_from_safetensors(std::string_view name) noexcept;
/// By DTypeInfo::name, in any case.
std::optional<DType> dtype_from_name(std::string_view name) noexcept;

/// True for F16, BF16, F32, F64 and the 8-bit floats.
bool is_float(DType dtype) noexcept;
/// True for ggml's block types (Q4_0 … Q2_0).
bool is_block(DType dtype) noexcept;

}  // namespace espalier
