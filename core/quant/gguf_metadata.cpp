#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "formats/gguf_tokenizer.h"
#include "quant/gguf_architecture.h"
#include "quant/gguf_label.h"
#include "quant/write_gguf.h"
#include "routing/provenance.h"

namespace espalier {
namespace {

/// Version of the block formats, 2 since 2023.
constexpr std::uint32_t kQuantizationVersion = 2;

/// A GGUF file keeps what it says of itself; the parts of a split one become one file.
GgufMetadata from_gguf(const GgufFile& source) {
    GgufMetadata metadata;
    for (const auto& [key, value] : source.metadata().entries()) {
        if (!key.starts_with("split.")) metadata.set(key, value);
    }
    return metadata;
}

std::int64_t dense_width(const Json& config) {
    const auto found = config.find("intermediate_size");
    return found != config.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

/// True for a hub folder that Espalier wrote. (What a GGUF file says of itself is copied anyway.)
bool has_past(const ModelSource& model) {
    return model.hub_folder() && std::filesystem::is_regular_file(model.path() / kProvenanceFile);
}

/// llama.cpp knows the tokenizers of some architectures by names and special tokens of their own.
void add_tokenizer_customs(GgufMetadata& metadata, const MoeConfig& config) {
    if (config.family == "olmoe" && metadata.text_or("tokenizer.ggml.pre", "") == "gpt-2") {
        metadata.set("tokenizer.ggml.pre", std::string("olmo"));  // the same split
    }
    const bool is_glm = config.family.starts_with("glm4_moe");
    const auto* tokens = metadata.array<std::string>("tokenizer.ggml.tokens");
    if (!is_glm || tokens == nullptr) return;
    constexpr std::array<std::pair<const char*, std::string_view>, 4> kGlmTokens{{
        {"tokenizer.ggml.bos_token_id", "[gMASK]"},
        {"tokenizer.ggml.eot_token_id", "<|user|>"},
        {"tokenizer.ggml.unknown_token_id", "<|endoftext|>"},
        {"tokenizer.ggml.eom_token_id", "<|observation|>"},
    }};
    std::vector<std::pair<std::string, std::uint32_t>> ids;
    for (const auto& [key, text] : kGlmTokens) {
        const auto found = std::find(tokens->begin(), tokens->end(), text);
        if (metadata.find(key) != nullptr || found == tokens->end()) continue;
        ids.emplace_back(key, static_cast<std::uint32_t>(found - tokens->begin()));
    }
    for (const auto& [key, id] : ids) metadata.set(key, id);  // invalidates `tokens`
}

GgufMetadata from_config(const ModelSource& model, const QuantPlan& plan, std::string_view name) {
    const Json hub_config = model.hub_folder() ? model.hub_folder()->config() : Json::object();
    GgufMetadata metadata;
    metadata.set("general.architecture", plan.architecture);
    metadata.set("general.type", std::string("model"));
    metadata.set("general.name", name.empty() ? model.name() : std::string(name));
    metadata.set("general.size_label", size_label(plan));
    add_architecture_keys(metadata, model.config(), dense_width(hub_config));
    if (const auto tokenizer = model.tokenizer_files()) {
        add_gguf_tokenizer(metadata, *tokenizer, model.config().vocab_size);
        // Those of generation_config.json, too: generation ends at any of them.
        Json special_ids = hub_config;
        if (!model.config().eos_token_ids.empty()) {
            special_ids["eos_token_id"] = model.config().eos_token_ids;
        }
        add_gguf_special_ids(metadata, special_ids);
        add_tokenizer_customs(metadata, model.config());
    }
    return metadata;
}

}  // namespace

GgufMetadata gguf_metadata(const ModelSource& model, const QuantPlan& plan, std::string_view name,
                           const Json& lineage) {
    GgufMetadata metadata =
        model.gguf_file() ? from_gguf(*model.gguf_file()) : from_config(model, plan, name);
    metadata.set("general.file_type", plan.ggml_file_type);
    metadata.set("general.quantization_version", kQuantizationVersion);
    if (!lineage.is_null() || has_past(model)) {
        Provenance provenance = provenance_of(model);
        if (!lineage.is_null()) provenance.lineage.push_back(lineage);
        add_gguf_provenance(metadata, provenance);
    }
    return metadata;
}

}  // namespace espalier
