#include <filesystem>
#include <string>

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

/// Lineage and the experts' original numbers, which only Espalier knows.
void add_espalier_record(GgufMetadata& metadata, const ModelSource& model) {
    if (std::filesystem::is_regular_file(model.path() / kProvenanceFile)) {
        add_gguf_provenance(metadata, provenance_of(model));
    }
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
        add_gguf_special_ids(metadata, hub_config);
    }
    if (model.hub_folder()) add_espalier_record(metadata, model);
    return metadata;
}

}  // namespace

GgufMetadata gguf_metadata(const ModelSource& model, const QuantPlan& plan, std::string_view name) {
    GgufMetadata metadata =
        model.gguf_file() ? from_gguf(*model.gguf_file()) : from_config(model, plan, name);
    metadata.set("general.file_type", plan.ggml_file_type);
    metadata.set("general.quantization_version", kQuantizationVersion);
    return metadata;
}

}  // namespace espalier
