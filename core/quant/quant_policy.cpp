#include "quant/quant_policy.h"

#include <array>

namespace espalier {
namespace {

using enum FileType;

constexpr std::array kFileTypes{
    FileTypeInfo{F32, "f32", 0, DType::F32},
    FileTypeInfo{F16, "f16", 1, DType::F16},
    FileTypeInfo{BF16, "bf16", 32, DType::BF16},
    FileTypeInfo{Q8_0, "q8_0", 7, DType::Q8_0},
    FileTypeInfo{Q6_K, "q6_k", 18, DType::Q6_K},
    FileTypeInfo{Q5_1, "q5_1", 9, DType::Q5_1},
    FileTypeInfo{Q5_K_M, "q5_k_m", 17, DType::Q5_K},
    FileTypeInfo{Q5_K_S, "q5_k_s", 16, DType::Q5_K},
    FileTypeInfo{Q5_0, "q5_0", 8, DType::Q5_0},
    FileTypeInfo{Q4_1, "q4_1", 3, DType::Q4_1},
    FileTypeInfo{Q4_K_M, "q4_k_m", 15, DType::Q4_K},
    FileTypeInfo{Q4_K_S, "q4_k_s", 14, DType::Q4_K},
    FileTypeInfo{Mxfp4Moe, "mxfp4_moe", 38, DType::Q8_0},
    FileTypeInfo{Q4_0, "q4_0", 2, DType::Q4_0},
    FileTypeInfo{Q3_K_L, "q3_k_l", 13, DType::Q3_K},
    FileTypeInfo{Q3_K_M, "q3_k_m", 12, DType::Q3_K},
    FileTypeInfo{Q3_K_S, "q3_k_s", 11, DType::Q3_K},
    FileTypeInfo{Q2_K, "q2_k", 10, DType::Q2_K},
    FileTypeInfo{Q2_K_S, "q2_k_s", 21, DType::Q2_K},
};

/// With exactly eight experts attention is so small a part that finer types cost next to nothing.
constexpr std::int64_t kMixtralExperts = 8;

DType output_type(const FileTypeInfo& file_type, std::int64_t row_length) noexcept {
    if (row_length % 256 != 0 || file_type.base == DType::Q8_0) return DType::Q8_0;
    return DType::Q6_K;
}

DType attention_v_type(const FileTypeInfo& file_type, std::int64_t layer,
                       const PolicyContext& context) noexcept {
    if (context.num_experts == kMixtralExperts) return DType::Q8_0;
    switch (file_type.type) {
        case Q2_K:
            return context.heads_per_kv_head >= 4 ? DType::Q4_K : DType::Q3_K;
        case Q2_K_S:
            return context.heads_per_kv_head >= 4 ? DType::Q4_K : DType::Q2_K;
        case Q3_K_M:
            return layer < 2 ? DType::Q5_K : DType::Q4_K;
        case Q3_K_L:
            return DType::Q5_K;
        case Q4_K_S:
            return layer < 4 ? DType::Q5_K : DType::Q4_K;
        case Q4_K_M:
        case Q5_K_M:
            return uses_more_bits(layer, context.num_layers) ? DType::Q6_K : file_type.base;
        default:
            return file_type.base;
    }
}

DType attention_output_type(const FileTypeInfo& file_type, const PolicyContext& context) noexcept {
    if (context.num_experts == kMixtralExperts) {
        switch (file_type.type) {
            case Q2_K:
            case Q3_K_S:
            case Q3_K_M:
            case Q4_K_S:
            case Q4_K_M:
                return DType::Q5_K;
            default:
                return file_type.base;
        }
    }
    switch (file_type.type) {
        case Q2_K:
            return DType::Q3_K;
        case Q3_K_M:
            return DType::Q4_K;
        case Q3_K_L:
            return DType::Q5_K;
        default:
            return file_type.base;
    }
}

DType down_type(const FileTypeInfo& file_type, std::int64_t layer,
                const PolicyContext& context) noexcept {
    const bool is_early = layer < context.num_layers / 8;
    switch (file_type.type) {
        case Q2_K:
            return DType::Q3_K;
        case Q2_K_S:
            return is_early ? DType::Q4_K : DType::Q2_K;
        case Q3_K_M:
            return layer < context.num_layers / 16 ? DType::Q5_K : DType::Q4_K;
        case Q3_K_L:
            return DType::Q5_K;
        case Q4_K_S:
            return is_early ? DType::Q5_K : DType::Q4_K;
        case Q4_K_M:
        case Q5_K_M:
            return uses_more_bits(layer, context.num_layers) ? DType::Q6_K : file_type.base;
        case Q4_0:
            return is_early && context.has_importance ? DType::Q4_1 : DType::Q4_0;
        case Q5_0:
            return is_early && context.has_importance ? DType::Q5_1 : DType::Q5_0;
        default:
            return file_type.base;
    }
}

/// Matrices that tokens are multiplied with; norms, biases, routers, convolutions and the like
/// are too small and too sensitive.
bool stays_f32(TensorRole role) noexcept {
    switch (role) {
        case TensorRole::TokenEmbedding:
        case TensorRole::Output:
        case TensorRole::AttentionQ:
        case TensorRole::AttentionK:
        case TensorRole::AttentionV:
        case TensorRole::AttentionOutput:
        case TensorRole::LatentQ:
        case TensorRole::LatentQDown:
        case TensorRole::LatentQUp:
        case TensorRole::LatentKvDown:
        case TensorRole::LatentKeyUp:
        case TensorRole::LatentValueUp:
        case TensorRole::DeltaQkv:
        case TensorRole::DeltaZ:
        case TensorRole::DeltaBeta:
        case TensorRole::DeltaDecay:
        case TensorRole::DeltaOutput:
        case TensorRole::ConvolutionIn:
        case TensorRole::ConvolutionOut:
        case TensorRole::DenseGate:
        case TensorRole::DenseUp:
        case TensorRole::DenseDown:
        case TensorRole::ExpertGate:
        case TensorRole::ExpertUp:
        case TensorRole::ExpertDown:
        case TensorRole::SharedGate:
        case TensorRole::SharedUp:
        case TensorRole::SharedDown:
            return false;
        default:
            return true;
    }
}

}  // namespace

std::span<const FileTypeInfo> file_types() noexcept { return kFileTypes; }

bool uses_more_bits(std::int64_t layer, std::int64_t num_layers) noexcept {
    const std::int64_t edge = num_layers / 8;
    return layer < edge || layer >= 7 * num_layers / 8 || (layer - edge) % 3 == 2;
}

DType wished_type(const FileTypeInfo& file_type, const TensorKey& key, std::int64_t row_length,
                  const PolicyContext& context) noexcept {
    if (stays_f32(key.role)) return DType::F32;
    if (!is_block(file_type.base)) return file_type.base;
    if (file_type.type == Mxfp4Moe) return is_expert_role(key.role) ? DType::MXFP4 : DType::Q8_0;
    switch (key.role) {
        case TensorRole::Output:
            return output_type(file_type, row_length);
        case TensorRole::TokenEmbedding:
            return context.ties_embeddings ? output_type(file_type, row_length) : file_type.base;
        case TensorRole::AttentionK:
            return context.num_experts == kMixtralExperts ? DType::Q8_0 : file_type.base;
        case TensorRole::AttentionV:
            return attention_v_type(file_type, key.layer, context);
        case TensorRole::AttentionOutput:
            return attention_output_type(file_type, context);
        case TensorRole::DenseDown:
        case TensorRole::ExpertDown:
        case TensorRole::SharedDown:
            return down_type(file_type, key.layer, context);
        default:
            return file_type.base;
    }
}

}  // namespace espalier
