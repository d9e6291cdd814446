#include "model/config_from_gguf.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <fmt/format.h>
#include <set>

#include "base/error.h"
#include "formats/file_error.h"
#include "model/check_config.h"

namespace espalier {
namespace {

/// Keys of an architecture (without its name) that change nothing.
constexpr std::array<std::string_view, 5> kIgnored{
    "expert_shared_count", "feed_forward_length",    "tensor_data_layout",
    "vocab_size",          "rope.scaling.finetuned",
};

/// GGUF holds floats where config.json holds decimals: the shortest decimal of 9.9999999e-07f is
/// 1e-06, which is what was meant.
double meant_decimal(double value) {
    return std::strtod(fmt::format("{}", static_cast<float>(value)).c_str(), nullptr);
}

class KeyReader {
public:
    KeyReader(const GgufSet& files, std::string architecture)
        : files_(files), prefix_(std::move(architecture) + ".") {}

    const GgufSet& files() const noexcept { return files_; }

    std::int64_t integer(std::string_view key) { return keys().integer(full(key)); }
    std::int64_t integer_or(std::string_view key, std::int64_t fallback) {
        return keys().integer_or(full(key), fallback);
    }
    double number(std::string_view key) { return meant_decimal(keys().number(full(key))); }
    double number_or(std::string_view key, double fallback) {
        return meant_decimal(keys().number_or(full(key), fallback));
    }

    /// Switches that this architecture of llama.cpp has wired to one position.
    void require_wired() {
        const std::string scaling = keys().text_or(full("rope.scaling.type"), "none");
        if (scaling != "none") refuse("rope.scaling.type", scaling);
        const std::int64_t gating = integer_or("expert_gating_func", 1);
        if (gating > 1) refuse("expert_gating_func", std::to_string(gating));
        if (!keys().flag_or(full("expert_weights_norm"), true))
            refuse("expert_weights_norm", "false");
        const double scale = number_or("expert_weights_scale", 1.0);
        if (scale != 1.0 && scale != 0.0) refuse("expert_weights_scale", std::to_string(scale));
        if (integer_or("expert_group_count", 1) > 1) refuse("expert_group_count", "above 1");
        if (integer_or("expert_shared_count", 0) > 0) refuse("expert_shared_count", "above 0");
        const std::int64_t window = integer_or("attention.sliding_window", 0);
        if (window != 0) refuse("attention.sliding_window", std::to_string(window));
    }

    /// Keys of the architecture that nobody asked for might change the result.
    void refuse_unread() const {
        for (const auto& [key, value] : keys().entries()) {
            if (!key.starts_with(prefix_) || read_.contains(key)) continue;
            const std::string_view rest = std::string_view(key).substr(prefix_.size());
            if (std::find(kIgnored.begin(), kIgnored.end(), rest) != kIgnored.end()) continue;
            throw unknown(
                fmt::format("the key {} is not known and might change the result", in_quotes(key)));
        }
    }

    Error unknown(std::string_view what) const {
        return {ErrorCode::ArchUnknown,
                fmt::format("{}: {}.", files_.path().filename().string(), what),
                "Look for a newer version of Espalier, or another model."};
    }

private:
    const GgufMetadata& keys() const { return files_.metadata(); }
    std::string full(std::string_view key) {
        return *read_.insert(prefix_ + std::string(key)).first;
    }
    [[noreturn]] void refuse(std::string_view key, std::string_view value) const {
        throw unknown(fmt::format("{}{} is {}, which Espalier does not know", prefix_, key, value));
    }

    const GgufSet& files_;
    std::string prefix_;
    std::set<std::string, std::less<>> read_;
};

bool has_tensor(const GgufSet& files, std::string_view name) { return files.find(name) != nullptr; }

AttentionConfig read_attention(KeyReader& reader, std::int64_t hidden_size) {
    AttentionConfig attention;
    attention.num_heads = reader.integer("attention.head_count");
    if (attention.num_heads < 1) throw reader.unknown("attention.head_count is below 1");
    attention.num_kv_heads = reader.integer_or("attention.head_count_kv", attention.num_heads);
    attention.head_dim =
        reader.integer_or("attention.key_length", hidden_size / attention.num_heads);
    if (reader.integer_or("attention.value_length", attention.head_dim) != attention.head_dim) {
        throw reader.unknown("attention.value_length differs from attention.key_length");
    }
    attention.scale = 1.0 / std::sqrt(static_cast<double>(attention.head_dim));
    attention.rope.theta = reader.number_or("rope.freq_base", 10000.0);
    attention.rope.rotated_dims = reader.integer_or("rope.dimension_count", attention.head_dim);
    attention.has_qkv_bias = has_tensor(reader.files(), "blk.0.attn_q.bias");
    attention.has_output_bias = has_tensor(reader.files(), "blk.0.attn_output.bias");
    return attention;
}

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

std::size_t read_num_layers(KeyReader& reader) {
    constexpr std::int64_t kMost = 1 << 16;
    const std::int64_t count = reader.integer("block_count");
    if (count < 1 || count > kMost) throw reader.unknown(fmt::format("block_count is {}", count));
    return static_cast<std::size_t>(count);
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

MoeConfig read_common(KeyReader& reader) {
    const GgufSet& files = reader.files();
    MoeConfig config;
    config.hidden_size = reader.integer("embedding_length");
    config.context_length = reader.integer("context_length");
    config.rms_norm_eps = reader.number("attention.layer_norm_rms_epsilon");
    config.layers.resize(read_num_layers(reader));
    config.attention = read_attention(reader, config.hidden_size);
    config.router.num_experts = reader.integer_or("expert_count", 0);
    if (config.router.num_experts == 0) throw reader.unknown("the model has no experts");
    config.router.top_k = reader.integer("expert_used_count");
    config.vocab_size = read_vocab_size(files);
    config.ties_embeddings = !has_tensor(files, "output.weight");
    config.eos_token_ids = read_eos_ids(files.metadata());
    config.stored_dtype = stored_dtype(files);
    reader.require_wired();
    return config;
}

MoeConfig read_qwen3moe(KeyReader& reader) {
    MoeConfig config = read_common(reader);
    config.family = "qwen3_moe";
    config.attention.qk_norm = QkNorm::PerHead;
    config.moe_intermediate_size = reader.integer("expert_feed_forward_length");
    return config;
}

MoeConfig read_mixtral(KeyReader& reader) {
    MoeConfig config = read_common(reader);
    config.family = "mixtral";
    config.moe_intermediate_size = reader.integer("feed_forward_length");
    if (config.attention.rope.rotated_dims != config.attention.head_dim) {
        throw reader.unknown("rope.dimension_count differs from attention.key_length");
    }
    return config;
}

struct Architecture {
    std::string_view name;
    MoeConfig (*read)(KeyReader&);
};

constexpr std::array kArchitectures{
    Architecture{"qwen3moe", read_qwen3moe},
    Architecture{"llama", read_mixtral},
};

}  // namespace

MoeConfig config_from_gguf(const GgufSet& files) {
    const std::string architecture = files.metadata().text_or("general.architecture", "");
    KeyReader reader(files, architecture);
    const std::string type = files.metadata().text_or("general.type", "model");
    if (architecture.empty() || type != "model") {
        throw reader.unknown(fmt::format("it holds no model but {}", in_quotes(type)));
    }
    const auto* const found =
        std::find_if(kArchitectures.begin(), kArchitectures.end(),
                     [&](const Architecture& row) { return row.name == architecture; });
    if (found == kArchitectures.end()) {
        throw reader.unknown(
            fmt::format("the architecture {} is not known", in_quotes(architecture)));
    }
    MoeConfig config = found->read(reader);
    reader.refuse_unread();
    check_config(config, files.path().filename().string());
    return config;
}

}  // namespace espalier
