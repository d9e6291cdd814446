#include "model/families/architecture_readers.h"
#include "model/families/gguf_fields.h"

namespace espalier {

MoeConfig read_gguf_glm4moe(GgufKeyReader& reader) {
    MoeConfig config = read_gguf_sizes(reader);
    config.family = "glm4_moe";
    config.attention = read_gguf_attention(reader, config);
    if (reader.has_tensor("attn_q_norm.weight")) config.attention.qk_norm = QkNorm::PerHead;
    reader.require_wired("expert_gating_func", std::int64_t{2});
    read_gguf_sigmoid_router(reader, config.router);
    config.router.normalises_top_k = reader.flag_or("expert_weights_norm", false);
    config.router.normalising_epsilon = 1e-20;
    read_gguf_deepseek_widths(reader, config);
    return config;
}

}  // namespace espalier
