#include <algorithm>
#include <array>

#include "model/tensor_names.h"

namespace espalier {
namespace {

using enum TensorRole;

constexpr std::array kQwen3MoeHub{
    TensorName{TokenEmbedding, "model.embed_tokens.weight"},
    TensorName{OutputNorm, "model.norm.weight"},
    TensorName{Output, "lm_head.weight"},
    TensorName{AttentionNorm, "model.layers.{l}.input_layernorm.weight"},
    TensorName{AttentionQ, "model.layers.{l}.self_attn.q_proj.weight"},
    TensorName{AttentionK, "model.layers.{l}.self_attn.k_proj.weight"},
    TensorName{AttentionV, "model.layers.{l}.self_attn.v_proj.weight"},
    TensorName{AttentionOutput, "model.layers.{l}.self_attn.o_proj.weight"},
    TensorName{AttentionQBias, "model.layers.{l}.self_attn.q_proj.bias"},
    TensorName{AttentionKBias, "model.layers.{l}.self_attn.k_proj.bias"},
    TensorName{AttentionVBias, "model.layers.{l}.self_attn.v_proj.bias"},
    TensorName{AttentionOutputBias, "model.layers.{l}.self_attn.o_proj.bias"},
    TensorName{AttentionQNorm, "model.layers.{l}.self_attn.q_norm.weight"},
    TensorName{AttentionKNorm, "model.layers.{l}.self_attn.k_norm.weight"},
    TensorName{FeedForwardNorm, "model.layers.{l}.post_attention_layernorm.weight"},
    TensorName{DenseGate, "model.layers.{l}.mlp.gate_proj.weight"},
    TensorName{DenseUp, "model.layers.{l}.mlp.up_proj.weight"},
    TensorName{DenseDown, "model.layers.{l}.mlp.down_proj.weight"},
    TensorName{Router, "model.layers.{l}.mlp.gate.weight"},
    TensorName{ExpertGate, "model.layers.{l}.mlp.experts.{e}.gate_proj.weight"},
    TensorName{ExpertUp, "model.layers.{l}.mlp.experts.{e}.up_proj.weight"},
    TensorName{ExpertDown, "model.layers.{l}.mlp.experts.{e}.down_proj.weight"},
};

constexpr std::array kMixtralHub{
    TensorName{TokenEmbedding, "model.embed_tokens.weight"},
    TensorName{OutputNorm, "model.norm.weight"},
    TensorName{Output, "lm_head.weight"},
    TensorName{AttentionNorm, "model.layers.{l}.input_layernorm.weight"},
    TensorName{AttentionQ, "model.layers.{l}.self_attn.q_proj.weight"},
    TensorName{AttentionK, "model.layers.{l}.self_attn.k_proj.weight"},
    TensorName{AttentionV, "model.layers.{l}.self_attn.v_proj.weight"},
    TensorName{AttentionOutput, "model.layers.{l}.self_attn.o_proj.weight"},
    TensorName{FeedForwardNorm, "model.layers.{l}.post_attention_layernorm.weight"},
    TensorName{Router, "model.layers.{l}.block_sparse_moe.gate.weight"},
    TensorName{ExpertGate, "model.layers.{l}.block_sparse_moe.experts.{e}.w1.weight"},
    TensorName{ExpertUp, "model.layers.{l}.block_sparse_moe.experts.{e}.w3.weight"},
    TensorName{ExpertDown, "model.layers.{l}.block_sparse_moe.experts.{e}.w2.weight"},
};

constexpr std::array kQwen3MoeGguf{
    TensorName{TokenEmbedding, "token_embd.weight"},
    TensorName{OutputNorm, "output_norm.weight"},
    TensorName{Output, "output.weight"},
    TensorName{AttentionNorm, "blk.{l}.attn_norm.weight"},
    TensorName{AttentionQ, "blk.{l}.attn_q.weight"},
    TensorName{AttentionK, "blk.{l}.attn_k.weight"},
    TensorName{AttentionV, "blk.{l}.attn_v.weight"},
    TensorName{AttentionOutput, "blk.{l}.attn_output.weight"},
    TensorName{AttentionQBias, "blk.{l}.attn_q.bias"},
    TensorName{AttentionKBias, "blk.{l}.attn_k.bias"},
    TensorName{AttentionVBias, "blk.{l}.attn_v.bias"},
    TensorName{AttentionOutputBias, "blk.{l}.attn_output.bias"},
    TensorName{AttentionQNorm, "blk.{l}.attn_q_norm.weight"},
    TensorName{AttentionKNorm, "blk.{l}.attn_k_norm.weight"},
    TensorName{FeedForwardNorm, "blk.{l}.ffn_norm.weight"},
    TensorName{Router, "blk.{l}.ffn_gate_inp.weight"},
    TensorName{ExpertGate, "blk.{l}.ffn_gate_exps.weight"},
    TensorName{ExpertUp, "blk.{l}.ffn_up_exps.weight"},
    TensorName{ExpertDown, "blk.{l}.ffn_down_exps.weight"},
};

/// Experts were separate tensors before March 2024.
constexpr std::array kLlamaGguf{
    TensorName{TokenEmbedding, "token_embd.weight"},
    TensorName{OutputNorm, "output_norm.weight"},
    TensorName{Output, "output.weight"},
    TensorName{AttentionNorm, "blk.{l}.attn_norm.weight"},
    TensorName{AttentionQ, "blk.{l}.attn_q.weight", RowOrder::RotaryPairs},
    TensorName{AttentionK, "blk.{l}.attn_k.weight", RowOrder::RotaryPairs},
    TensorName{AttentionV, "blk.{l}.attn_v.weight"},
    TensorName{AttentionOutput, "blk.{l}.attn_output.weight"},
    TensorName{FeedForwardNorm, "blk.{l}.ffn_norm.weight"},
    TensorName{Router, "blk.{l}.ffn_gate_inp.weight"},
    TensorName{ExpertGate, "blk.{l}.ffn_gate_exps.weight"},
    TensorName{ExpertUp, "blk.{l}.ffn_up_exps.weight"},
    TensorName{ExpertDown, "blk.{l}.ffn_down_exps.weight"},
    TensorName{ExpertGate, "blk.{l}.ffn_gate.{e}.weight"},
    TensorName{ExpertUp, "blk.{l}.ffn_up.{e}.weight"},
    TensorName{ExpertDown, "blk.{l}.ffn_down.{e}.weight"},
};

/// Old files carry RoPE's frequencies, which the config gives anyway.
constexpr std::array<std::string_view, 1> kIgnoredHub{".rotary_emb.inv_freq"};

constexpr std::array kHubTables{
    NameTable{"qwen3_moe", kQwen3MoeHub, kIgnoredHub},
    NameTable{"mixtral", kMixtralHub, kIgnoredHub},
};

constexpr std::array kGgufTables{
    NameTable{"qwen3moe", kQwen3MoeGguf, {}},
    NameTable{"llama", kLlamaGguf, {}},
};

const NameTable* find_table(std::span<const NameTable> tables, std::string_view family) noexcept {
    const auto found = std::find_if(tables.begin(), tables.end(),
                                    [&](const NameTable& table) { return table.family == family; });
    return found == tables.end() ? nullptr : &*found;
}

}  // namespace

const NameTable* hub_names(std::string_view model_type) noexcept {
    return find_table(kHubTables, model_type);
}

const NameTable* gguf_names(std::string_view architecture) noexcept {
    return find_table(kGgufTables, architecture);
}

}  // namespace espalier
