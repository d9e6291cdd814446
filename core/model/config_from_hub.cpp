#include "model/config_from_hub.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <vector>

#include "formats/file_error.h"
#include "model/check_config.h"
#include "model/config_native.h"
#include "model/config_reader.h"
#include "model/families/family_readers.h"
#include "model/tensor_place.h"

namespace espalier {
namespace {

/// Fields without influence on what the model computes: training, bookkeeping, defaults of
/// generation.
constexpr std::array<std::string_view, 51> kIgnored{
    "_attn_implementation",
    "_name_or_path",
    "add_cross_attention",
    "architectures",
    "attention_dropout",
    "auto_map",
    "aux_loss_alpha",
    "begin_suppress_tokens",
    "bos_token_id",
    "chunk_size_feed_forward",
    "classifier_dropout",
    "decoder_start_token_id",
    "diversity_penalty",
    "do_sample",
    "early_stopping",
    "embd_pdrop",
    "ep_size",
    "finetuning_task",
    "id2label",
    "initial_context_length",
    "initializer_range",
    "is_decoder",
    "is_encoder_decoder",
    "label2id",
    "length_penalty",
    "mamba_ssm_dtype",
    "max_length",
    "max_window_layers",
    "min_length",
    "mtp_use_dedicated_embeddings",
    "num_beams",
    "num_return_sequences",
    "output_attentions",
    "output_hidden_states",
    "output_router_logits",
    "pad_token_id",
    "pretraining_tp",
    "prefix",
    "repetition_penalty",
    "resid_pdrop",
    "return_dict",
    "router_aux_loss_coef",
    "router_jitter_noise",
    "sep_token_id",
    "seq_aux",
    "temperature",
    "top_k",
    "top_p",
    "transformers_version",
    "unsloth_version",
    "use_cache",
};

/// What stands beside `text_config` of a model that sees images, too.
constexpr std::array<std::string_view, 6> kBesideText{
    "image_token_id", "text_config",         "video_token_id",
    "vision_config",  "vision_end_token_id", "vision_start_token_id",
};

/// The two ways of storing small weights that the family's tensors can be read from.
void check_quantization(ConfigReader& reader, const std::string& model_type) {
    const Json* object = reader.find("quantization_config");
    if (!object) return;
    if (!object->is_object()) reader.contradiction("quantization_config is not an object");
    ConfigReader inner(*object, reader.source() + ", quantization_config");
    const std::string method = inner.text_or({"quant_method"}, "");
    if (method == "mxfp4" && model_type == "gpt_oss") return;
    if (method != "fp8") {
        inner.unknown(fmt::format("weights quantised by {} cannot be read for this family",
                                  method.empty() ? "an unnamed method" : in_quotes(method)));
    }
    inner.require_text("fmt", "e4m3");
    const auto square = inner.integers("weight_block_size");
    if (square != std::vector<std::int64_t>{kScaledSquare, kScaledSquare}) {
        inner.unknown("weight_block_size is not [128, 128]");
    }
}

/// The settings of the language model alone: those of `text_config`, with what stands beside it
/// and is about text.
Json text_settings(ConfigReader& reader) {
    const Json& text = *reader.find("text_config");
    if (!text.is_object()) reader.contradiction("text_config is not an object");
    Json merged = text;
    for (const char* key : {"tie_word_embeddings", "dtype", "torch_dtype", "eos_token_id"}) {
        if (const Json* value = reader.find(key)) merged[key] = *value;
    }
    return merged;
}

struct Family {
    std::string_view model_type;
    MoeConfig (*read)(ConfigReader&);
    bool nests = false;  ///< its settings may stand in `text_config`
};

constexpr std::array kFamilies{
    Family{"mixtral", read_mixtral},
    Family{"qwen2_moe", read_qwen2_moe},
    Family{"qwen3_moe", read_qwen3_moe},
    Family{"qwen3_next", read_qwen3_next},
    Family{"qwen3_5_moe", read_qwen3_5_moe, true},
    Family{"qwen3_5_moe_text", read_qwen3_5_moe},
    Family{"olmoe", read_olmoe},
    Family{"gpt_oss", read_gpt_oss},
    Family{"deepseek_v2", read_deepseek_v2},
    Family{"deepseek_v3", read_deepseek_v3},
    Family{"glm4_moe", read_glm4_moe},
    Family{"glm4_moe_lite", read_glm4_moe_lite},
    Family{"granitemoe", read_granitemoe},
    Family{"lfm2_moe", read_lfm2_moe},
};

std::vector<std::string_view> ignored_beside_text() {
    std::vector<std::string_view> all(kIgnored.begin(), kIgnored.end());
    all.insert(all.end(), kBesideText.begin(), kBesideText.end());
    return all;
}

void add_eos_ids(MoeConfig& config, const Json& generation, const std::string& source) {
    if (!generation.is_object()) return;
    ConfigReader reader(generation, source);
    for (const std::int64_t id : reader.integers("eos_token_id")) {
        auto& ids = config.eos_token_ids;
        if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
    }
}

}  // namespace

MoeConfig config_from_hub(const Json& config, const Json& generation, const std::string& source) {
    ConfigReader reader(config, source);
    const std::string model_type = reader.text_or({"model_type"}, "");
    if (model_type.empty()) reader.contradiction("model_type is missing");
    if (model_type == kNativeModelType) return config_from_native(config, generation, source);
    const auto* const family =
        std::find_if(kFamilies.begin(), kFamilies.end(),
                     [&](const Family& row) { return row.model_type == model_type; });
    if (family == kFamilies.end()) {
        reader.unknown(fmt::format("the model_type {} is not known", in_quotes(model_type)));
    }
    check_quantization(reader, model_type);
    const bool is_nested = family->nests && reader.find("text_config") != nullptr;
    const Json text = is_nested ? text_settings(reader) : config;
    if (is_nested) reader.refuse_unread(ignored_beside_text());
    ConfigReader text_reader(text, is_nested ? source + ", text_config" : source);
    for (const char* key : {"model_type", "quantization_config"}) text_reader.find(key);
    MoeConfig result = family->read(text_reader);
    result.family = model_type;
    add_eos_ids(result, generation, source);
    text_reader.refuse_unread(kIgnored);
    check_config(result, source);
    return result;
}

}  // namespace espalier
