#include "nn/attention.h"

#include "nn/causal_attention.h"
#include "nn/norms.h"

namespace espalier {
namespace {

using enum TensorRole;

/// Projections of all tokens, [tokens, heads of the kind, head_dim].
struct Projected {
    torch::Tensor q;
    torch::Tensor k;
    torch::Tensor v;
    torch::Tensor gate;  ///< [tokens, heads * head_dim], undefined without an output gate
};

/// Over each head, or over all of them as one row.
torch::Tensor norm_heads(const MoeConfig& config, const torch::Tensor& heads,
                         const torch::Tensor& weight) {
    switch (config.attention.qk_norm) {
        case QkNorm::None:
            return heads;
        case QkNorm::PerHead:
            return rms_norm(heads, weight, config.rms_norm_eps);
        case QkNorm::Whole:
            return rms_norm(heads.flatten(1), weight, config.rms_norm_eps).view_as(heads);
    }
    TORCH_INTERNAL_ASSERT(false);
}

Projected project(const BlockContext& context, const torch::Tensor& rows) {
    const AttentionConfig& config = context.config.attention;
    const AttentionTensors& weights = context.weights.attention;
    Projected out;
    out.q = weights.q(rows).view({rows.size(0), config.num_heads, -1});
    out.k = weights.k(rows).view({-1, config.num_kv_heads, config.head_dim});
    out.v = weights.v(rows).view({-1, config.num_kv_heads, config.head_dim});
    if (config.has_output_gate) {
        out.gate = out.q.narrow(2, config.head_dim, config.head_dim).flatten(1);
        out.q = out.q.narrow(2, 0, config.head_dim);
    }
    out.q = norm_heads(context.config, out.q, weights.q_norm);
    out.k = norm_heads(context.config, out.k, weights.k_norm);
    if (config.clip_qkv > 0) {
        out.q = out.q.clamp(-config.clip_qkv, config.clip_qkv);
        out.k = out.k.clamp(-config.clip_qkv, config.clip_qkv);
        out.v = out.v.clamp(-config.clip_qkv, config.clip_qkv);
    }
    return out;
}

torch::Tensor attend(const BlockContext& context, const Projected& projected, std::int64_t begin,
                     std::int64_t length) {
    const AttentionConfig& config = context.config.attention;
    const std::int64_t group = config.num_heads / config.num_kv_heads;
    const torch::Tensor q =
        context.rotary.apply(projected.q.narrow(0, begin, length)) * config.scale;
    const torch::Tensor k = context.rotary.apply(projected.k.narrow(0, begin, length));
    const torch::Tensor v = projected.v.narrow(0, begin, length);
    AttentionRules rules{.window = context.layer_config().sliding_window, .sinks = {}};
    if (config.has_sinks) {
        rules.sinks = context.weights.attention.sinks.view({config.num_kv_heads, group});
    }
    return causal_attention(
        {.q = q.view({-1, config.num_kv_heads, group, config.head_dim}).permute({1, 2, 0, 3}),
         .k = k.transpose(0, 1).contiguous(),
         .v = v.transpose(0, 1).contiguous()},
        rules, context.stop);
}

}  // namespace

torch::Tensor attention(const BlockContext& context, const torch::Tensor& rows) {
    context.show_input({AttentionQ, AttentionK, AttentionV}, rows);
    const Projected projected = project(context, rows);
    torch::Tensor heads = context.sequences.mix_each([&](std::int64_t begin, std::int64_t length) {
        return attend(context, projected, begin, length);
    });
    if (projected.gate.defined()) heads = heads * torch::sigmoid(projected.gate);
    context.show_input({AttentionOutput}, heads);
    return context.weights.attention.output(heads);
}

}  // namespace espalier
