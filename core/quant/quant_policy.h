#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "model/tensor_role.h"
#include "tensor/dtype.h"

namespace espalier {

/// A mix of types under one name, as llama.cpp's quantiser has them.
enum class FileType : std::uint8_t {
    F32,
    F16,
    BF16,
    Q8_0,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q2_K,
    Q2_K_S,
    Q3_K_S,
    Q3_K_M,
    Q3_K_L,
    Q4_K_S,
    Q4_K_M,
    Q5_K_S,
    Q5_K_M,
    Q6_K,
    Mxfp4Moe,  ///< experts in MXFP4, all else in Q8_0
};

struct FileTypeInfo {
    FileType type;
    std::string_view name;         ///< "q4_k_m"
    std::uint32_t ggml_file_type;  ///< value of general.file_type
    DType base;                    ///< type of most matrices
};

/// All of them, from the finest to the coarsest.
std::span<const FileTypeInfo> file_types() noexcept;

/// What of a model decides about the mix.
struct PolicyContext {
    std::int64_t num_layers = 0;
    std::int64_t num_experts = 0;
    std::int64_t heads_per_kv_head = 1;
    bool ties_embeddings = false;
    bool has_importance = false;
};

/// The type that llama.cpp's quantiser wishes for a tensor, before the fallback for short rows.
/// Vectors, norms, biases and routers stay F32 whatever the file type.
/// @param key expert -1 for a stack of experts
/// @param row_length columns of the matrix
DType wished_type(const FileTypeInfo& file_type, const TensorKey& key, std::int64_t row_length,
                  const PolicyContext& context) noexcept;

/// The layers that *_M types spend more bits on: the first and last eighth and every third between.
bool uses_more_bits(std::int64_t layer, std::int64_t num_layers) noexcept;

}  // namespace espalier
