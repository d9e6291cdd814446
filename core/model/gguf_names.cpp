#include <algorithm>
#include <array>

#include "model/name_parts.h"

namespace espalier {
namespace {

using enum TensorRole;
using enum RowOrder;
using enum TensorForm;

constexpr std::array kEnds{
    TensorName{TokenEmbedding, "token_embd.weight"},
    TensorName{OutputNorm, "output_norm.weight"},
    TensorName{Output, "output.weight"},
};

constexpr std::array kNorms{
    TensorName{AttentionNorm, "blk.{l}.attn_norm.weight"},
    TensorName{FeedForwardNorm, "blk.{l}.ffn_norm.weight"},
};

/// The second norm under its other name.
constexpr std::array kPostNorms{
    TensorName{AttentionNorm, "blk.{l}.attn_norm.weight"},
    TensorName{FeedForwardNorm, "blk.{l}.post_attention_norm.weight"},
};

constexpr std::array kAttention{
    TensorName{AttentionQ, "blk.{l}.attn_q.weight"},
    TensorName{AttentionK, "blk.{l}.attn_k.weight"},
    TensorName{AttentionV, "blk.{l}.attn_v.weight"},
    TensorName{AttentionOutput, "blk.{l}.attn_output.weight"},
    TensorName{AttentionQBias, "blk.{l}.attn_q.bias"},
    TensorName{AttentionKBias, "blk.{l}.attn_k.bias"},
    TensorName{AttentionVBias, "blk.{l}.attn_v.bias"},
    TensorName{AttentionOutputBias, "blk.{l}.attn_output.bias"},
};

constexpr std::array kPairedAttention{
    TensorName{AttentionQ, "blk.{l}.attn_q.weight", RotaryPairs},
    TensorName{AttentionK, "blk.{l}.attn_k.weight", RotaryPairs},
    TensorName{AttentionV, "blk.{l}.attn_v.weight"},
    TensorName{AttentionOutput, "blk.{l}.attn_output.weight"},
    TensorName{AttentionQBias, "blk.{l}.attn_q.bias", RotaryPairs},
    TensorName{AttentionKBias, "blk.{l}.attn_k.bias", RotaryPairs},
    TensorName{AttentionVBias, "blk.{l}.attn_v.bias"},
    TensorName{AttentionOutputBias, "blk.{l}.attn_output.bias"},
};

constexpr std::array kQkNorms{
    TensorName{AttentionQNorm, "blk.{l}.attn_q_norm.weight"},
    TensorName{AttentionKNorm, "blk.{l}.attn_k_norm.weight"},
};

constexpr std::array kDense{
    TensorName{DenseGate, "blk.{l}.ffn_gate.weight"},
    TensorName{DenseUp, "blk.{l}.ffn_up.weight"},
    TensorName{DenseDown, "blk.{l}.ffn_down.weight"},
};

constexpr std::array kMoe{
    TensorName{Router, "blk.{l}.ffn_gate_inp.weight"},
    TensorName{ExpertGate, "blk.{l}.ffn_gate_exps.weight"},
    TensorName{ExpertUp, "blk.{l}.ffn_up_exps.weight"},
    TensorName{ExpertDown, "blk.{l}.ffn_down_exps.weight"},
};

/// Gate and up of an expert in one matrix, as some converters leave them.
constexpr std::array kFusedExperts{
    TensorName{ExpertGate, "blk.{l}.ffn_gate_up_exps.weight", FirstHalf},
    TensorName{ExpertUp, "blk.{l}.ffn_gate_up_exps.weight", SecondHalf},
};

/// Experts were separate tensors before March 2024.
constexpr std::array kSingleExperts{
    TensorName{ExpertGate, "blk.{l}.ffn_gate.{e}.weight"},
    TensorName{ExpertUp, "blk.{l}.ffn_up.{e}.weight"},
    TensorName{ExpertDown, "blk.{l}.ffn_down.{e}.weight"},
};

constexpr std::array kSharedExpert{
    TensorName{SharedGate, "blk.{l}.ffn_gate_shexp.weight"},
    TensorName{SharedUp, "blk.{l}.ffn_up_shexp.weight"},
    TensorName{SharedDown, "blk.{l}.ffn_down_shexp.weight"},
};

constexpr std::array kSharedScore{
    TensorName{SharedScore, "blk.{l}.ffn_gate_inp_shexp.weight"},
};

constexpr std::array kSelectionBias{
    TensorName{RouterSelectionBias, "blk.{l}.exp_probs_b.bias"},
};

constexpr std::array kGptOssMoe{
    TensorName{AttentionSinks, "blk.{l}.attn_sinks.weight"},
    TensorName{RouterBias, "blk.{l}.ffn_gate_inp.bias"},
    TensorName{ExpertGateBias, "blk.{l}.ffn_gate_exps.bias"},
    TensorName{ExpertUpBias, "blk.{l}.ffn_up_exps.bias"},
    TensorName{ExpertDownBias, "blk.{l}.ffn_down_exps.bias"},
};

/// Files from before April 2025 have keys and values in one matrix.
constexpr std::array kLatentAttention{
    TensorName{LatentQ, "blk.{l}.attn_q.weight"},
    TensorName{LatentQDown, "blk.{l}.attn_q_a.weight"},
    TensorName{LatentQNorm, "blk.{l}.attn_q_a_norm.weight"},
    TensorName{LatentQUp, "blk.{l}.attn_q_b.weight"},
    TensorName{LatentKvDown, "blk.{l}.attn_kv_a_mqa.weight"},
    TensorName{LatentKvNorm, "blk.{l}.attn_kv_a_norm.weight"},
    TensorName{LatentKeyUp, "blk.{l}.attn_k_b.weight", AsNamed, TransposedHeads},
    TensorName{LatentValueUp, "blk.{l}.attn_v_b.weight", AsNamed, Heads},
    TensorName{LatentKeyUp, "blk.{l}.attn_kv_b.weight", HeadKeys},
    TensorName{LatentValueUp, "blk.{l}.attn_kv_b.weight", HeadValues},
    TensorName{AttentionOutput, "blk.{l}.attn_output.weight"},
};

constexpr std::array kJointDeltaNet{
    TensorName{DeltaQkv, "blk.{l}.attn_qkv.weight"},
    TensorName{DeltaZ, "blk.{l}.attn_gate.weight"},
    TensorName{DeltaBeta, "blk.{l}.ssm_ba.weight", KeyGroupBeta},
    TensorName{DeltaDecay, "blk.{l}.ssm_ba.weight", KeyGroupDecay},
    TensorName{DeltaConvolution, "blk.{l}.ssm_conv1d.weight"},
    TensorName{DeltaLogA, "blk.{l}.ssm_a", AsNamed, MinusExp},
    TensorName{DeltaDecayBias, "blk.{l}.ssm_dt.bias"},
    TensorName{DeltaNorm, "blk.{l}.ssm_norm.weight"},
    TensorName{DeltaOutput, "blk.{l}.ssm_out.weight"},
};

/// The value heads of all key heads lie in turn: first of each key head, second of each, ...
constexpr std::array kTurnedDeltaNet{
    TensorName{DeltaQkv, "blk.{l}.attn_qkv.weight", TurnedQkv},
    TensorName{DeltaZ, "blk.{l}.attn_gate.weight", TurnedValues},
    TensorName{DeltaBeta, "blk.{l}.ssm_beta.weight", TurnedHeads},
    TensorName{DeltaDecay, "blk.{l}.ssm_alpha.weight", TurnedHeads},
    TensorName{DeltaConvolution, "blk.{l}.ssm_conv1d.weight", TurnedQkv},
    TensorName{DeltaLogA, "blk.{l}.ssm_a", TurnedHeads, MinusExp},
    TensorName{DeltaDecayBias, "blk.{l}.ssm_dt.bias", TurnedHeads},
    TensorName{DeltaNorm, "blk.{l}.ssm_norm.weight"},
    TensorName{DeltaOutput, "blk.{l}.ssm_out.weight", AsNamed, TurnedColumns},
};

constexpr std::array kLfm2Moe{
    TensorName{TokenEmbedding, "token_embd.weight"},
    TensorName{OutputNorm, "token_embd_norm.weight"},
    TensorName{ConvolutionIn, "blk.{l}.shortconv.in_proj.weight"},
    TensorName{ConvolutionKernel, "blk.{l}.shortconv.conv.weight"},
    TensorName{ConvolutionOut, "blk.{l}.shortconv.out_proj.weight"},
};

constexpr auto kLlama = join_names(kEnds, kNorms, kPairedAttention, kMoe, kSingleExperts);
constexpr auto kQwen2 = join_names(kEnds, kNorms, kAttention, kMoe, kSharedExpert, kSharedScore);
constexpr auto kQwen3 = join_names(kEnds, kNorms, kAttention, kQkNorms, kMoe);
constexpr auto kQwen3Next = join_names(kEnds, kPostNorms, kAttention, kQkNorms, kJointDeltaNet,
                                       kMoe, kFusedExperts, kSharedExpert, kSharedScore);
constexpr auto kQwen35 = join_names(kEnds, kPostNorms, kAttention, kQkNorms, kTurnedDeltaNet, kMoe,
                                    kFusedExperts, kSharedExpert, kSharedScore);
constexpr auto kGptOss = join_names(kEnds, kPostNorms, kAttention, kMoe, kGptOssMoe);
constexpr auto kDeepseek2 =
    join_names(kEnds, kNorms, kLatentAttention, kDense, kMoe, kSelectionBias, kSharedExpert);
constexpr auto kGlm4 = join_names(kEnds, kPostNorms, kAttention, kQkNorms, kDense, kMoe,
                                  kSelectionBias, kSharedExpert);
constexpr auto kGranite = join_names(kEnds, kNorms, kPairedAttention, kMoe);
constexpr auto kLfm2 =
    join_names(kLfm2Moe, kNorms, kAttention, kQkNorms, kDense, kMoe, kSelectionBias);

constexpr std::string_view kLayers = "blk.";

constexpr std::array kTables{
    NameTable{"llama", kLlama, {}},
    NameTable{"qwen2moe", kQwen2, {}},
    NameTable{"qwen3moe", kQwen3, {}},
    NameTable{"olmoe", kQwen3, {}},
    NameTable{"qwen3next", kQwen3Next, {}, {}, kLayers},
    NameTable{"qwen35moe", kQwen35, {}, {}, kLayers},
    NameTable{"gpt-oss", kGptOss, {}},
    NameTable{"deepseek2", kDeepseek2, {}, {}, kLayers},
    NameTable{"glm4moe", kGlm4, {}, {}, kLayers},
    NameTable{"granitemoe", kGranite, {}},
    NameTable{"lfm2moe", kLfm2, {}},
};

}  // namespace

const NameTable* gguf_names(std::string_view architecture) noexcept {
    const auto* const found =
        std::find_if(kTables.begin(), kTables.end(),
                     [&](const NameTable& table) { return table.family == architecture; });
    return found == kTables.end() ? nullptr : found;
}

}  // namespace espalier
