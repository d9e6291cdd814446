#include "support/synthetic_model.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/rng.h"
#include "formats/hub_folder.h"
#include "tensor/float_formats.h"

namespace espalier::test {
namespace {

std::vector<TensorSpec> tensor_specs(const SyntheticModel& m) {
    std::vector<TensorSpec> specs;
    const auto add = [&](const std::string& name, Shape shape) {
        specs.push_back({name, DType::BF16, std::move(shape)});
    };
    add("model.embed_tokens.weight", {m.vocab_size, m.hidden_size});
    add("lm_head.weight", {m.vocab_size, m.hidden_size});
    add("model.norm.weight", {m.hidden_size});
    for (std::int64_t layer = 0; layer < m.num_layers; ++layer) {
        const std::string prefix = fmt::format("model.layers.{}.", layer);
        add(prefix + "input_layernorm.weight", {m.hidden_size});
        add(prefix + "post_attention_layernorm.weight", {m.hidden_size});
        add(prefix + "self_attn.q_proj.weight", {m.num_heads * m.head_dim, m.hidden_size});
        add(prefix + "self_attn.k_proj.weight", {m.num_kv_heads * m.head_dim, m.hidden_size});
        add(prefix + "self_attn.v_proj.weight", {m.num_kv_heads * m.head_dim, m.hidden_size});
        add(prefix + "self_attn.o_proj.weight", {m.hidden_size, m.num_heads * m.head_dim});
        add(prefix + "self_attn.q_norm.weight", {m.head_dim});
        add(prefix + "self_attn.k_norm.weight", {m.head_dim});
        add(prefix + "mlp.gate.weight", {m.num_experts, m.hidden_size});
        for (std::int64_t expert = 0; expert < m.num_experts; ++expert) {
            const std::string e = fmt::format("{}mlp.experts.{}.", prefix, expert);
            add(e + "gate_proj.weight", {m.moe_intermediate_size, m.hidden_size});
            add(e + "up_proj.weight", {m.moe_intermediate_size, m.hidden_size});
            add(e + "down_proj.weight", {m.hidden_size, m.moe_intermediate_size});
        }
    }
    return specs;
}

Json config_json(const SyntheticModel& m) {
    return {{"architectures", {"Qwen3MoeForCausalLM"}},
            {"model_type", "qwen3_moe"},
            {"attention_bias", false},
            {"decoder_sparse_step", 1},
            {"dtype", "bfloat16"},
            {"eos_token_id", 0},
            {"head_dim", m.head_dim},
            {"hidden_act", "silu"},
            {"hidden_size", m.hidden_size},
            {"intermediate_size", 3 * m.hidden_size},
            {"max_position_embeddings", 4096},
            {"mlp_only_layers", Json::array()},
            {"moe_intermediate_size", m.moe_intermediate_size},
            {"norm_topk_prob", true},
            {"num_attention_heads", m.num_heads},
            {"num_experts_per_tok", m.top_k},
            {"num_hidden_layers", m.num_layers},
            {"num_key_value_heads", m.num_kv_heads},
            {"num_local_experts", m.num_experts},
            {"rms_norm_eps", 1e-6},
            {"rope_parameters", {{"rope_theta", 10000.0}, {"rope_type", "default"}}},
            {"tie_word_embeddings", false},
            {"vocab_size", m.vocab_size}};
}

/// Normal values from a table: drawing billions of them one by one would take minutes.
std::vector<float> normal_table(std::uint64_t seed) {
    std::vector<float> table(1U << 16);
    Rng rng = Rng(seed).stream("synthetic.table");
    for (float& value : table) value = static_cast<float>(rng.normal());
    return table;
}

std::vector<std::uint16_t> random_values(const TensorSpec& spec, std::span<const float> table,
                                         Rng& rng) {
    std::vector<std::uint16_t> values(*num_elements(spec.shape));
    const bool is_norm = spec.shape.size() == 1;
    const float deviation =
        is_norm ? 0.1F : 1.0F / std::sqrt(static_cast<float>(spec.shape.back()));
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (i % 4 == 0) bits = rng.next();
        const float normal = table[(bits >> (16 * (i % 4))) & 0xFFFFU];
        values[i] = float_to_bf16((is_norm ? 1.0F : 0.0F) + deviation * normal);
    }
    return values;
}

}  // namespace

void write_synthetic_model(const SyntheticModel& shape, const std::filesystem::path& folder) {
    const auto specs = tensor_specs(shape);
    const auto table = normal_table(shape.seed);
    Rng rng = Rng(shape.seed).stream("synthetic.weights");
    HubFolderWriter writer(folder, specs);
    for (const TensorSpec& spec : specs) {
        const std::vector<std::uint16_t> values = random_values(spec, table, rng);
        writer.write(spec.name, std::as_bytes(std::span(values)));
    }
    writer.write_json("config.json", config_json(shape));
    writer.commit();
}

}  // namespace espalier::test
