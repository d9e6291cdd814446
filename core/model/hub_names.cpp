#include <algorithm>
#include <array>

#include "model/name_parts.h"

namespace espalier {
namespace {

using enum TensorRole;
using enum RowOrder;
using enum TensorForm;

constexpr TensorName kConstant{ExpertConstant, kConstantPattern};

constexpr std::array kEnds{
    kConstant,
    TensorName{TokenEmbedding, "model.embed_tokens.weight"},
    TensorName{OutputNorm, "model.norm.weight"},
    TensorName{Output, "lm_head.weight"},
};

constexpr std::array kNorms{
    TensorName{AttentionNorm, "model.layers.{l}.input_layernorm.weight"},
    TensorName{FeedForwardNorm, "model.layers.{l}.post_attention_layernorm.weight"},
};

constexpr std::array kAttention{
    TensorName{AttentionQ, "model.layers.{l}.self_attn.q_proj.weight"},
    TensorName{AttentionK, "model.layers.{l}.self_attn.k_proj.weight"},
    TensorName{AttentionV, "model.layers.{l}.self_attn.v_proj.weight"},
    TensorName{AttentionOutput, "model.layers.{l}.self_attn.o_proj.weight"},
    TensorName{AttentionQBias, "model.layers.{l}.self_attn.q_proj.bias"},
    TensorName{AttentionKBias, "model.layers.{l}.self_attn.k_proj.bias"},
    TensorName{AttentionVBias, "model.layers.{l}.self_attn.v_proj.bias"},
    TensorName{AttentionOutputBias, "model.layers.{l}.self_attn.o_proj.bias"},
};

constexpr std::array kQkNorms{
    TensorName{AttentionQNorm, "model.layers.{l}.self_attn.q_norm.weight"},
    TensorName{AttentionKNorm, "model.layers.{l}.self_attn.k_norm.weight"},
};

/// Norms of models that multiply by 1 + w.
constexpr std::array kNormsOfOnePlus{
    TensorName{OutputNorm, "model.norm.weight", AsNamed, MinusOne},
    TensorName{AttentionNorm, "model.layers.{l}.input_layernorm.weight", AsNamed, MinusOne},
    TensorName{FeedForwardNorm, "model.layers.{l}.post_attention_layernorm.weight", AsNamed,
               MinusOne},
    TensorName{AttentionQNorm, "model.layers.{l}.self_attn.q_norm.weight", AsNamed, MinusOne},
    TensorName{AttentionKNorm, "model.layers.{l}.self_attn.k_norm.weight", AsNamed, MinusOne},
};

constexpr std::array kRouter{
    TensorName{Router, "model.layers.{l}.mlp.gate.weight"},
};

constexpr std::array kExperts{
    TensorName{ExpertGate, "model.layers.{l}.mlp.experts.{e}.gate_proj.weight"},
    TensorName{ExpertUp, "model.layers.{l}.mlp.experts.{e}.up_proj.weight"},
    TensorName{ExpertDown, "model.layers.{l}.mlp.experts.{e}.down_proj.weight"},
};

constexpr std::array kFusedExperts{
    TensorName{ExpertGate, "model.layers.{l}.mlp.experts.gate_up_proj", FirstHalf},
    TensorName{ExpertUp, "model.layers.{l}.mlp.experts.gate_up_proj", SecondHalf},
    TensorName{ExpertDown, "model.layers.{l}.mlp.experts.down_proj"},
};

constexpr std::array kDense{
    TensorName{DenseGate, "model.layers.{l}.mlp.gate_proj.weight"},
    TensorName{DenseUp, "model.layers.{l}.mlp.up_proj.weight"},
    TensorName{DenseDown, "model.layers.{l}.mlp.down_proj.weight"},
};

constexpr std::array kGatedSharedExpert{
    TensorName{SharedGate, "model.layers.{l}.mlp.shared_expert.gate_proj.weight"},
    TensorName{SharedUp, "model.layers.{l}.mlp.shared_expert.up_proj.weight"},
    TensorName{SharedDown, "model.layers.{l}.mlp.shared_expert.down_proj.weight"},
    TensorName{SharedScore, "model.layers.{l}.mlp.shared_expert_gate.weight"},
};

constexpr std::array kSharedExperts{
    TensorName{SharedGate, "model.layers.{l}.mlp.shared_experts.gate_proj.weight"},
    TensorName{SharedUp, "model.layers.{l}.mlp.shared_experts.up_proj.weight"},
    TensorName{SharedDown, "model.layers.{l}.mlp.shared_experts.down_proj.weight"},
    TensorName{RouterSelectionBias, "model.layers.{l}.mlp.gate.e_score_correction_bias"},
};

constexpr std::array kLatentAttention{
    TensorName{LatentQ, "model.layers.{l}.self_attn.q_proj.weight"},
    TensorName{LatentQDown, "model.layers.{l}.self_attn.q_a_proj.weight"},
    TensorName{LatentQDownBias, "model.layers.{l}.self_attn.q_a_proj.bias"},
    TensorName{LatentQNorm, "model.layers.{l}.self_attn.q_a_layernorm.weight"},
    TensorName{LatentQUp, "model.layers.{l}.self_attn.q_b_proj.weight"},
    TensorName{LatentKvDown, "model.layers.{l}.self_attn.kv_a_proj_with_mqa.weight"},
    TensorName{LatentKvDownBias, "model.layers.{l}.self_attn.kv_a_proj_with_mqa.bias"},
    TensorName{LatentKvNorm, "model.layers.{l}.self_attn.kv_a_layernorm.weight"},
    TensorName{LatentKeyUp, "model.layers.{l}.self_attn.kv_b_proj.weight", HeadKeys},
    TensorName{LatentValueUp, "model.layers.{l}.self_attn.kv_b_proj.weight", HeadValues},
    TensorName{AttentionOutput, "model.layers.{l}.self_attn.o_proj.weight"},
    TensorName{AttentionOutputBias, "model.layers.{l}.self_attn.o_proj.bias"},
};

constexpr std::array kDeltaNet{
    TensorName{DeltaConvolution, "model.layers.{l}.linear_attn.conv1d.weight"},
    TensorName{DeltaLogA, "model.layers.{l}.linear_attn.A_log"},
    TensorName{DeltaDecayBias, "model.layers.{l}.linear_attn.dt_bias"},
    TensorName{DeltaNorm, "model.layers.{l}.linear_attn.norm.weight"},
    TensorName{DeltaOutput, "model.layers.{l}.linear_attn.out_proj.weight"},
};

constexpr std::array kJointDeltaNet{
    TensorName{DeltaQkv, "model.layers.{l}.linear_attn.in_proj_qkvz.weight", KeyGroupQkv},
    TensorName{DeltaZ, "model.layers.{l}.linear_attn.in_proj_qkvz.weight", KeyGroupZ},
    TensorName{DeltaBeta, "model.layers.{l}.linear_attn.in_proj_ba.weight", KeyGroupBeta},
    TensorName{DeltaDecay, "model.layers.{l}.linear_attn.in_proj_ba.weight", KeyGroupDecay},
};

constexpr std::array kSeparateDeltaNet{
    TensorName{DeltaQkv, "model.layers.{l}.linear_attn.in_proj_qkv.weight"},
    TensorName{DeltaZ, "model.layers.{l}.linear_attn.in_proj_z.weight"},
    TensorName{DeltaBeta, "model.layers.{l}.linear_attn.in_proj_b.weight"},
    TensorName{DeltaDecay, "model.layers.{l}.linear_attn.in_proj_a.weight"},
};

constexpr std::array kMixtralMoe{
    TensorName{Router, "model.layers.{l}.block_sparse_moe.gate.weight"},
    TensorName{ExpertGate, "model.layers.{l}.block_sparse_moe.experts.{e}.w1.weight"},
    TensorName{ExpertUp, "model.layers.{l}.block_sparse_moe.experts.{e}.w3.weight"},
    TensorName{ExpertDown, "model.layers.{l}.block_sparse_moe.experts.{e}.w2.weight"},
};

/// In bfloat16, or as published in pairs of blocks and scales.
constexpr std::array kGptOssMoe{
    TensorName{AttentionSinks, "model.layers.{l}.self_attn.sinks"},
    TensorName{Router, "model.layers.{l}.mlp.router.weight"},
    TensorName{RouterBias, "model.layers.{l}.mlp.router.bias"},
    TensorName{ExpertGate, "model.layers.{l}.mlp.experts.gate_up_proj", EvenRows, Mxfp4Pair},
    TensorName{ExpertUp, "model.layers.{l}.mlp.experts.gate_up_proj", OddRows, Mxfp4Pair},
    TensorName{ExpertDown, "model.layers.{l}.mlp.experts.down_proj", AsNamed, Mxfp4Pair},
    TensorName{ExpertGate, "model.layers.{l}.mlp.experts.gate_up_proj", EvenRows, Transposed},
    TensorName{ExpertUp, "model.layers.{l}.mlp.experts.gate_up_proj", OddRows, Transposed},
    TensorName{ExpertDown, "model.layers.{l}.mlp.experts.down_proj", AsNamed, Transposed},
    TensorName{ExpertGateBias, "model.layers.{l}.mlp.experts.gate_up_proj_bias", EvenRows},
    TensorName{ExpertUpBias, "model.layers.{l}.mlp.experts.gate_up_proj_bias", OddRows},
    TensorName{ExpertDownBias, "model.layers.{l}.mlp.experts.down_proj_bias"},
};

constexpr std::array kGraniteMoe{
    TensorName{Router, "model.layers.{l}.block_sparse_moe.router.layer.weight"},
    TensorName{ExpertGate, "model.layers.{l}.block_sparse_moe.input_linear.weight", FirstHalf},
    TensorName{ExpertUp, "model.layers.{l}.block_sparse_moe.input_linear.weight", SecondHalf},
    TensorName{ExpertDown, "model.layers.{l}.block_sparse_moe.output_linear.weight"},
};

constexpr std::array kLfm2Moe{
    kConstant,
    TensorName{TokenEmbedding, "model.embed_tokens.weight"},
    TensorName{OutputNorm, "model.embedding_norm.weight"},
    TensorName{Output, "lm_head.weight"},
    TensorName{AttentionNorm, "model.layers.{l}.operator_norm.weight"},
    TensorName{AttentionQ, "model.layers.{l}.self_attn.q_proj.weight"},
    TensorName{AttentionK, "model.layers.{l}.self_attn.k_proj.weight"},
    TensorName{AttentionV, "model.layers.{l}.self_attn.v_proj.weight"},
    TensorName{AttentionOutput, "model.layers.{l}.self_attn.out_proj.weight"},
    TensorName{AttentionQNorm, "model.layers.{l}.self_attn.q_layernorm.weight"},
    TensorName{AttentionKNorm, "model.layers.{l}.self_attn.k_layernorm.weight"},
    TensorName{ConvolutionIn, "model.layers.{l}.conv.in_proj.weight"},
    TensorName{ConvolutionInBias, "model.layers.{l}.conv.in_proj.bias"},
    TensorName{ConvolutionKernel, "model.layers.{l}.conv.conv.weight"},
    TensorName{ConvolutionBias, "model.layers.{l}.conv.conv.bias"},
    TensorName{ConvolutionOut, "model.layers.{l}.conv.out_proj.weight"},
    TensorName{ConvolutionOutBias, "model.layers.{l}.conv.out_proj.bias"},
    TensorName{FeedForwardNorm, "model.layers.{l}.ffn_norm.weight"},
    TensorName{DenseGate, "model.layers.{l}.feed_forward.w1.weight"},
    TensorName{DenseUp, "model.layers.{l}.feed_forward.w3.weight"},
    TensorName{DenseDown, "model.layers.{l}.feed_forward.w2.weight"},
    TensorName{Router, "model.layers.{l}.feed_forward.gate.weight"},
    TensorName{RouterSelectionBias, "model.layers.{l}.feed_forward.expert_bias"},
    TensorName{ExpertGate, "model.layers.{l}.feed_forward.experts.{e}.w1.weight"},
    TensorName{ExpertUp, "model.layers.{l}.feed_forward.experts.{e}.w3.weight"},
    TensorName{ExpertDown, "model.layers.{l}.feed_forward.experts.{e}.w2.weight"},
};

constexpr auto kMixtral = join_names(kEnds, kNorms, kAttention, kMixtralMoe);
constexpr auto kQwen2 =
    join_names(kEnds, kNorms, kAttention, kRouter, kExperts, kDense, kGatedSharedExpert);
constexpr auto kQwen3 = join_names(kEnds, kNorms, kAttention, kQkNorms, kRouter, kExperts, kDense);
constexpr auto kQwen3Next =
    join_names(kNormsOfOnePlus, kEnds, kAttention, kDeltaNet, kJointDeltaNet, kRouter, kExperts,
               kDense, kGatedSharedExpert);
constexpr auto kQwen35 =
    join_names(kNormsOfOnePlus, kEnds, kAttention, kDeltaNet, kSeparateDeltaNet, kRouter, kExperts,
               kFusedExperts, kGatedSharedExpert);
constexpr auto kGptOss = join_names(kEnds, kNorms, kAttention, kGptOssMoe);
constexpr auto kDeepseek =
    join_names(kEnds, kNorms, kLatentAttention, kRouter, kExperts, kDense, kSharedExperts);
constexpr auto kGlm4 =
    join_names(kEnds, kNorms, kAttention, kQkNorms, kRouter, kExperts, kDense, kSharedExperts);
constexpr auto kGranite = join_names(kEnds, kNorms, kAttention, kGraniteMoe);

/// Old files carry RoPE's frequencies, which the config gives anyway.
constexpr std::array<std::string_view, 1> kIgnored{".rotary_emb.inv_freq"};
constexpr std::array<std::string_view, 3> kQwenExtra{"mtp.", "model.mtp.", "model.visual."};
constexpr std::string_view kLayers = "model.layers.";
constexpr std::string_view kNested = "model.language_model.";

constexpr std::array kTables{
    NameTable{"mixtral", kMixtral, kIgnored},
    NameTable{"qwen2_moe", kQwen2, kIgnored},
    NameTable{"qwen3_moe", kQwen3, kIgnored},
    NameTable{"olmoe", kQwen3, kIgnored},
    NameTable{"qwen3_next", kQwen3Next, kIgnored, kQwenExtra},
    NameTable{"qwen3_5_moe", kQwen35, kIgnored, kQwenExtra, {}, kNested},
    NameTable{"qwen3_5_moe_text", kQwen35, kIgnored, kQwenExtra, {}, kNested},
    NameTable{"gpt_oss", kGptOss, kIgnored},
    NameTable{"deepseek_v2", kDeepseek, kIgnored},
    NameTable{"deepseek_v3", kDeepseek, kIgnored, {}, kLayers},
    NameTable{"glm4_moe", kGlm4, kIgnored, {}, kLayers},
    NameTable{"glm4_moe_lite", kDeepseek, kIgnored, {}, kLayers},
    NameTable{"granitemoe", kGranite, kIgnored},
    NameTable{"lfm2_moe", kLfm2Moe, kIgnored},
};

}  // namespace

const NameTable* hub_names(std::string_view model_type) noexcept {
    const auto* const found =
        std::find_if(kTables.begin(), kTables.end(),
                     [&](const NameTable& table) { return table.family == model_type; });
    return found == kTables.end() ? nullptr : found;
}

}  // namespace espalier
