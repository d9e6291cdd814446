#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "model/families/architecture_readers.h"
#include "model/families/gguf_fields.h"

namespace espalier {
namespace {

/// Layers without key heads are convolutions; the others have the same number.
std::int64_t set_mixers(GgufKeyReader& reader, MoeConfig& config) {
    const auto heads = reader.integers("attention.head_count_kv", config.layers.size());
    if (heads.empty()) throw reader.unknown("attention.head_count_kv is no list");
    const std::int64_t most = *std::max_element(heads.begin(), heads.end());
    for (std::size_t i = 0; i < heads.size(); ++i) {
        if (heads[i] == 0) {
            config.layers[i].mixer = MixerKind::ShortConvolution;
        } else if (heads[i] != most) {
            throw reader.unknown(fmt::format("layers have {} and {} key heads", heads[i], most));
        }
    }
    return most;
}

AttentionConfig read_attention(GgufKeyReader& reader, const MoeConfig& config,
                               std::int64_t kv_heads) {
    AttentionConfig attention;
    attention.num_heads = reader.integer("attention.head_count");
    if (attention.num_heads < 1) throw reader.unknown("attention.head_count is below 1");
    attention.num_kv_heads = kv_heads;
    attention.head_dim =
        reader.integer_or("attention.key_length", config.hidden_size / attention.num_heads);
    reader.require_wired("attention.value_length", attention.head_dim);
    attention.scale = 1.0 / std::sqrt(static_cast<double>(attention.head_dim));
    attention.rope = read_gguf_rope(reader, config.context_length, attention.head_dim);
    attention.qk_norm = QkNorm::PerHead;
    return attention;
}

}  // namespace

MoeConfig read_gguf_lfm2moe(GgufKeyReader& reader) {
    MoeConfig config = read_gguf_sizes(reader);
    config.family = "lfm2_moe";
    config.attention = read_attention(reader, config, set_mixers(reader, config));
    config.short_convolution = {.kernel = reader.integer("shortconv.l_cache")};
    reader.require_wired("expert_gating_func", std::int64_t{2});
    reader.require_wired("expert_weights_norm", true);
    read_gguf_sigmoid_router(reader, config.router);
    config.router.group_score = GroupScore::Max;  // there are no groups to score
    config.router.normalising_epsilon = 1e-6;
    config.moe_intermediate_size = reader.integer("expert_feed_forward_length");
    read_gguf_dense_layers(reader, config);
    return config;
}

}  // namespace espalier
