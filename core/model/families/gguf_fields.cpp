#include "model/families/gguf_fields.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>

#include "base/error.h"
#include "formats/file_error.h"

namespace espalier {
namespace {

/// As config.json would name what most of the bytes are stored as.
std::string stored_dtype(const GgufSet& files) {
    std::array<std::uint64_t, kNumDTypes> bytes{};
    for (const auto& tensor : files.tensors()) {
        bytes[static_cast<std::size_t>(tensor.view.dtype)] += tensor.view.bytes.size();
    }
    const auto most =
        static_cast<DType>(std::max_element(bytes.begin(), bytes.end()) - bytes.begin());
    switch (most) {
        case DType::F32:
            return "float32";
        case DType::F16:
            return "float16";
        case DType::BF16:
            return "bfloat16";
        default:
            return std::string(info(most).name);
    }
}

std::vector<std::int64_t> read_eos_ids(const GgufMetadata& keys) {
    std::vector<std::int64_t> ids;
    for (const auto* key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                            "tokenizer.ggml.eom_token_id"}) {
        if (!keys.find(key)) continue;
        const std::int64_t id = keys.integer(key);
        if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
    }
    return ids;
}

/// Prediction blocks are counted among the blocks.
std::size_t read_num_layers(GgufKeyReader& reader, std::int64_t extra_layers) {
    constexpr std::int64_t kMost = 1 << 16;
    const std::int64_t blocks = reader.integer("block_count");
    if (blocks < 1 || blocks > kMost || extra_layers < 0 || extra_layers >= blocks) {
        throw reader.unknown(fmt::format("block_count is {}, {} of them predict further tokens",
                                         blocks, extra_layers));
    }
    return static_cast<std::size_t>(blocks - extra_layers);
}

/// The key `vocab_size` is optional; the embedding is not.
std::int64_t read_vocab_size(const GgufSet& files) {
    const TensorView* embedding = files.find("token_embd.weight");
    if (embedding && embedding->shape.size() == 2) return embedding->shape.front();
    throw Error(
        ErrorCode::ArchTensor,
        fmt::format("{} lacks the matrix token_embd.weight.", files.path().filename().string()),
        "Choose a file that holds a whole model.");
}

}  // namespace

MoeConfig read_gguf_sizes(GgufKeyReader& reader) {
    const GgufSet& files = reader.files();
    MoeConfig config;
    config.hidden_size = reader.integer("embedding_length");
    config.context_length = reader.integer("context_length");
    config.rms_norm_eps = reader.number("attention.layer_norm_rms_epsilon");
    config.num_extra_layers = reader.integer_or("nextn_predict_layers", 0);
    config.layers.resize(read_num_layers(reader, config.num_extra_layers));
    config.router.num_experts = reader.integer_or("expert_count", 0);
    if (config.router.num_experts == 0) throw reader.unknown("the model has no experts");
    config.router.top_k = reader.integer("expert_used_count");
    config.vocab_size = read_vocab_size(files);
    config.ties_embeddings = files.find("output.weight") == nullptr;
    config.eos_token_ids = read_eos_ids(files.metadata());
    config.stored_dtype = stored_dtype(files);
    return config;
}

AttentionConfig read_gguf_attention(GgufKeyReader& reader, const MoeConfig& config) {
    AttentionConfig attention;
    attention.num_heads = reader.integer("attention.head_count");
    if (attention.num_heads < 1) throw reader.unknown("attention.head_count is below 1");
    attention.num_kv_heads = reader.integer_or("attention.head_count_kv", attention.num_heads);
    attention.head_dim =
        reader.integer_or("attention.key_length", config.hidden_size / attention.num_heads);
    if (reader.integer_or("attention.value_length", attention.head_dim) != attention.head_dim) {
        throw reader.unknown("attention.value_length differs from attention.key_length");
    }
    attention.scale = 1.0 / std::sqrt(static_cast<double>(attention.head_dim));
    attention.rope = read_gguf_rope(reader, config.context_length, attention.head_dim);
    attention.has_qkv_bias = reader.has_tensor("attn_q.bias");
    attention.has_output_bias = reader.has_tensor("attn_output.bias");
    return attention;
}

RopeConfig read_gguf_rope(GgufKeyReader& reader, std::int64_t context_length, std::int64_t head_dim,
                          double stretch) {
    RopeConfig rope;
    rope.theta = reader.number_or("rope.freq_base", 10000.0);
    rope.rotated_dims = reader.integer_or("rope.dimension_count", head_dim);
    RopeScaling& scaling = rope.scaling;
    const std::string kind = reader.text_or("rope.scaling.type", "none");
    const double factor = reader.number_or("rope.scaling.factor", 1.0);
    const std::int64_t original =
        reader.integer_or("rope.scaling.original_context_length", context_length);
    if (kind == "linear") {
        scaling.kind = RopeScalingKind::Linear;
        scaling.factor = factor;
    } else if (kind == "yarn") {
        scaling = {.kind = RopeScalingKind::Yarn,
                   .factor = factor,
                   .original_context = original,
                   .beta_fast = reader.number_or("rope.scaling.yarn_beta_fast", 32.0),
                   .beta_slow = reader.number_or("rope.scaling.yarn_beta_slow", 1.0),
                   .truncate = reader.flag_or("rope.scaling.yarn_truncate", true)};
        const bool stretches = stretch == 0.0 && factor > 1.0;
        rope.attention_factor = stretches ? 0.1 * std::log(factor) + 1.0 : 1.0;
    } else if (kind != "none") {
        reader.refuse("rope.scaling.type", kind);
    }
    return rope;
}

void require_softmax_router(GgufKeyReader& reader, bool normalises) {
    reader.require_wired("expert_gating_func", std::int64_t{1});
    reader.require_wired("expert_weights_norm", normalises);
    const double scale = reader.number_or("expert_weights_scale", 1.0);
    if (scale != 1.0 && scale != 0.0) reader.refuse("expert_weights_scale", std::to_string(scale));
    reader.require_wired("expert_group_count", std::int64_t{1});
    reader.require_wired("expert_group_used_count", std::int64_t{1});
    reader.require_wired("attention.sliding_window", std::int64_t{0});
}

void read_gguf_sigmoid_router(GgufKeyReader& reader, RouterConfig& router) {
    router.scoring = RouterScoring::Sigmoid;
    router.has_selection_bias = reader.has_tensor("exp_probs_b.bias");
    const double scale = reader.number_or("expert_weights_scale", 1.0);
    router.scale = scale == 0.0 ? 1.0 : scale;
    router.num_groups = std::max<std::int64_t>(reader.integer_or("expert_group_count", 1), 1);
    router.top_groups = std::max<std::int64_t>(reader.integer_or("expert_group_used_count", 1), 1);
    router.group_score = GroupScore::SumOfBestTwo;
}

void read_gguf_dense_layers(GgufKeyReader& reader, MoeConfig& config) {
    const std::int64_t count =
        std::min(reader.integer_or("leading_dense_block_count", 0), config.num_layers());
    for (std::int64_t i = 0; i < count; ++i) {
        config.layers[static_cast<std::size_t>(i)].feed_forward = FeedForwardKind::Dense;
    }
    config.intermediate_size = count > 0 ? reader.integer("feed_forward_length") : 0;
}

void read_gguf_deepseek_widths(GgufKeyReader& reader, MoeConfig& config) {
    config.moe_intermediate_size = reader.integer("expert_feed_forward_length");
    config.shared_expert.width =
        reader.integer("expert_shared_count") * config.moe_intermediate_size;
    read_gguf_dense_layers(reader, config);
}

}  // namespace espalier
