#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/moe_config.h"
#include "model/stored_layout.h"
#include "model/tensor_role.h"
#include "tensor/tensor_view.h"

namespace espalier {

/// A tensor of the GGUF file to be written and the type it gets.
struct PlannedTensor {
    TensorSpec spec;            ///< GGUF name ("blk.0.ffn_down_exps.weight"), effective type, shape
    DType wished = DType::F32;  ///< before the shape fallback
    TensorKey key;              ///< expert -1 for a stack of all experts
    StoredLayout layout;        ///< which tensors of the model lie in it, and how
};

struct QuantPlan {
    std::string file_type;             ///< "q4_k_m"
    std::uint32_t ggml_file_type = 0;  ///< general.file_type
    std::string architecture;          ///< general.architecture
    std::vector<PlannedTensor> tensors;
    std::uint64_t total_bytes() const;
};

struct PlanOptions {
    bool has_importance = false;  ///< some types give early ffn_down more bits then
};

/// What `quantize --type` accepts, from the finest to the coarsest: f32 f16 bf16 q8_0 … q4_k_m …
/// q2_k_s.
std::vector<std::string> known_file_types();

/// Types by the rules of llama.cpp's quantiser for that file type, with its fallback for rows that
/// are not whole blocks; routers, norms and other one-dimensional tensors stay F32.
/// @throws Error UsageInvalid for an unknown type, GgufInexpressible if the architecture has no
/// GGUF form
QuantPlan plan_quantization(const MoeConfig& config, std::string_view file_type,
                            const PlanOptions& options = {});

/// Q4_K -> Q5_0, Q6_K -> Q8_0, … for rows that are not whole blocks of the wished type; F16 at
/// last.
DType fallback_type(DType wished, std::int64_t row_length);

}  // namespace espalier
