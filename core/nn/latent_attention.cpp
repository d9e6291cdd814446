#include "nn/latent_attention.h"

#include "nn/causal_attention.h"
#include "nn/norms.h"

namespace espalier {
namespace {

using enum TensorRole;

/// The reference builds the norms of both compressed rows with this, whatever rms_norm_eps says.
constexpr double kLatentEpsilon = 1e-6;

/// What is kept of every token before heads are made of it, one sequence at a time.
struct Compressed {
    torch::Tensor q;           ///< [tokens, query_rank], or hidden without one
    torch::Tensor latent;      ///< [tokens, rank], normalised
    torch::Tensor shared_key;  ///< [tokens, 1, rope_dim], not yet rotated
};

Compressed compress(const BlockContext& context, const torch::Tensor& rows) {
    const LatentConfig& config = context.config.attention.latent;
    const LatentTensors& weights = context.weights.latent;
    context.show_input({config.query_rank > 0 ? LatentQDown : LatentQ, LatentKvDown}, rows);
    Compressed out;
    out.q = rows;
    if (config.query_rank > 0) {
        out.q = rms_norm(weights.q_down(rows), weights.q_norm, kLatentEpsilon);
        context.show_input({LatentQUp}, out.q);
    }
    const torch::Tensor row = weights.kv_down(rows);
    out.latent = rms_norm(row.narrow(1, 0, config.rank), weights.kv_norm, kLatentEpsilon);
    out.shared_key = row.narrow(1, config.rank, config.rope_dim).unsqueeze(1);
    context.show_input({LatentValueUp}, out.latent);
    return out;
}

torch::Tensor attend(const BlockContext& context, const Compressed& compressed, std::int64_t begin,
                     std::int64_t length) {
    const AttentionConfig& config = context.config.attention;
    const LatentConfig& sizes = config.latent;
    const LatentTensors& weights = context.weights.latent;
    const auto heads_of = [&](const Linear& matrix, const torch::Tensor& rows) {
        return matrix(rows.narrow(0, begin, length)).view({length, config.num_heads, -1});
    };
    const torch::Tensor q = heads_of(sizes.query_rank > 0 ? weights.q_up : weights.q, compressed.q);
    const torch::Tensor plain_q = q.narrow(2, 0, sizes.nope_dim);
    const torch::Tensor turned_q =
        context.rotary.apply(q.narrow(2, sizes.nope_dim, sizes.rope_dim));
    const torch::Tensor turned_k =
        context.rotary.apply(compressed.shared_key.narrow(0, begin, length))
            .expand({length, config.num_heads, sizes.rope_dim});
    const torch::Tensor plain_k = heads_of(weights.key_up, compressed.latent);
    const torch::Tensor v = heads_of(weights.value_up, compressed.latent);
    if (context.tap != nullptr) context.show_input({LatentKeyUp}, plain_q.flatten(1));
    return causal_attention(
        {.q = (torch::cat({plain_q, turned_q}, 2) * config.scale).transpose(0, 1).unsqueeze(1),
         .k = torch::cat({plain_k, turned_k}, 2).transpose(0, 1).contiguous(),
         .v = v.transpose(0, 1).contiguous()},
        {.window = context.layer_config().sliding_window, .sinks = {}}, context.stop);
}

}  // namespace

torch::Tensor latent_attention(const BlockContext& context, const torch::Tensor& rows) {
    const Compressed compressed = compress(context, rows);
    const torch::Tensor heads =
        context.sequences.mix_each([&](std::int64_t begin, std::int64_t length) {
            return attend(context, compressed, begin, length);
        });
    context.show_input({AttentionOutput}, heads);
    return context.weights.attention.output(heads);
}

}  // namespace espalier
