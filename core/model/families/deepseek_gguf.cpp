#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "model/families/architecture_readers.h"
#include "model/families/gguf_fields.h"

namespace espalier {
namespace {

constexpr std::int64_t kSoftmax = 1;
constexpr std::int64_t kSigmoid = 2;

/// Newer files describe attention over the latent rows, with one key head; older ones the heads.
void read_latent(GgufKeyReader& reader, MoeConfig& config) {
    AttentionConfig& attention = config.attention;
    LatentConfig& latent = attention.latent;
    attention.num_heads = reader.integer("attention.head_count");
    reader.integer_or("attention.head_count_kv", 1);
    attention.num_kv_heads = attention.num_heads;
    const std::int64_t key_length = reader.integer("attention.key_length");
    const std::int64_t value_length = reader.integer_or("attention.value_length", key_length);
    attention.head_dim = reader.integer_or("attention.key_length_mla", key_length);
    latent.value_dim = reader.integer_or("attention.value_length_mla", value_length);
    latent.query_rank = reader.integer_or("attention.q_lora_rank", 0);
    latent.rank = reader.integer("attention.kv_lora_rank");
    latent.rope_dim = reader.integer("rope.dimension_count");
    latent.nope_dim = attention.head_dim - latent.rope_dim;
    if (latent.nope_dim < 1) throw reader.unknown("rope.dimension_count is more than a head has");
    for (auto& layer : config.layers) layer.mixer = MixerKind::LatentAttention;
}

void read_rope(GgufKeyReader& reader, MoeConfig& config) {
    AttentionConfig& attention = config.attention;
    const double stretch = 10.0 * reader.number_or("rope.scaling.yarn_log_multiplier", 0.0);
    attention.rope =
        read_gguf_rope(reader, config.context_length, attention.latent.rope_dim, stretch);
    attention.rope.style = RopeStyle::Pairs;
    attention.scale = 1.0 / std::sqrt(static_cast<double>(attention.head_dim));
    const double factor = attention.rope.scaling.factor;
    if (attention.rope.scaling.kind != RopeScalingKind::Yarn || factor <= 1.0) return;
    const double stretched = 0.1 * stretch * std::log(factor) + 1.0;
    attention.scale *= stretched * stretched;
}

/// Files of DeepSeek-V2 and of GLM-4.7-Flash do not say how the router scores; only the latter's
/// router has a bias for the choice.
void read_router(GgufKeyReader& reader, RouterConfig& router) {
    const std::int64_t meant = reader.has_tensor("exp_probs_b.bias") ? kSigmoid : kSoftmax;
    const std::int64_t told = reader.integer_or("expert_gating_func", 0);
    const std::int64_t gating = told == 0 ? meant : told;
    if (gating != kSoftmax && gating != kSigmoid) {
        reader.refuse("expert_gating_func", std::to_string(gating));
    }
    read_gguf_sigmoid_router(reader, router);
    router.normalises_top_k = reader.flag_or("expert_weights_norm", false);
    if (gating == kSigmoid) {
        router.normalising_epsilon = 1e-20;
        return;
    }
    router.scoring = RouterScoring::Softmax;
    router.group_score = GroupScore::Max;
}

}  // namespace

MoeConfig read_gguf_deepseek2(GgufKeyReader& reader) {
    MoeConfig config = read_gguf_sizes(reader);
    read_latent(reader, config);
    read_rope(reader, config);
    read_router(reader, config.router);
    config.family = config.router.scoring == RouterScoring::Sigmoid ? "deepseek_v3" : "deepseek_v2";
    read_gguf_deepseek_widths(reader, config);
    return config;
}

}  // namespace espalier
