#include "quant/write_hub.h"

#include <algorithm>
#include <fmt/format.h>
#include <vector>

#include "base/cancel.h"
#include "base/error.h"
#include "formats/hub_folder_writer.h"
#include "kernels/decode.h"
#include "model/config_to_hub.h"
#include "model/model_tensors.h"
#include "model/tensor_names.h"
#include "routing/provenance.h"
#include "tensor/buffer.h"

namespace espalier {
namespace {

std::string hub_name(const NameTable& table, const TensorKey& key) {
    const auto row = std::find_if(table.names.begin(), table.names.end(),
                                  [&](const TensorName& name) { return name.role == key.role; });
    if (row == table.names.end()) {
        throw Error(
            ErrorCode::ArchTensor,
            fmt::format("The family {} has no hub name for one of its tensors.", table.family),
            "Keep the model as GGUF.");
    }
    return tensor_name(row->pattern, key);
}

/// The type that holds the tensor's values without loss.
DType lossless_type(const ModelSource& model, const TensorKey& key) {
    const auto stored = model.stored(key);
    if (stored && (stored->view.dtype == DType::BF16 || stored->view.dtype == DType::F16)) {
        return stored->view.dtype;
    }
    return DType::F32;
}

void write_companions(const ModelSource& model, HubFolderWriter& writer) {
    if (const HubFolder* folder = model.hub_folder()) {
        for (const auto& file : folder->companion_files()) writer.copy_file(file);
        writer.write_json("config.json", folder->config());
        return;
    }
    const auto embedding = lossless_type(model, {.role = TensorRole::TokenEmbedding});
    const char* dtype = embedding == DType::BF16  ? "bfloat16"
                        : embedding == DType::F16 ? "float16"
                                                  : "float32";
    writer.write_json("config.json", hub_config(model.config(), dtype));
    writer.write_json(kProvenanceFile, to_json(provenance_of(model)));
    if (const auto files = model.tokenizer_files()) {
        writer.write_json("tokenizer.json", files->tokenizer);
        if (!files->config.is_null()) writer.write_json("tokenizer_config.json", files->config);
        if (!files->chat_template.empty())
            writer.write_text("chat_template.jinja", files->chat_template);
    }
}

}  // namespace

std::uint64_t write_hub(const HubWrite& request) {
    const ModelSource& model = request.model;
    const NameTable* table = hub_names(model.config().family);
    if (table == nullptr) {
        throw Error(ErrorCode::ArchUnknown,
                    fmt::format("The family {} has no hub layout here.", model.config().family),
                    "Keep the model as GGUF.");
    }
    std::vector<TensorKey> keys;
    std::vector<TensorSpec> specs;
    std::uint64_t total = 0;
    for (const ModelTensor& tensor : model_tensors(model.config())) {
        if (!model.has(tensor.key)) continue;
        keys.push_back(tensor.key);
        specs.push_back(
            {hub_name(*table, tensor.key), lossless_type(model, tensor.key), tensor.shape});
        total += *tensor_bytes(specs.back().dtype, tensor.shape);
    }

    HubFolderWriter writer(request.out, specs);
    std::uint64_t done = 0;
    for (std::size_t i = 0; i < keys.size(); ++i) {
        throw_if_stopped(request.stop);
        Buffer<float> values(*num_elements(specs[i].shape));
        model.decode(keys[i], values.span());
        std::vector<std::byte> bytes(*tensor_bytes(specs[i].dtype, specs[i].shape));
        kernels::encode_float(specs[i].dtype, values.span(), bytes);
        writer.write(specs[i].name, bytes);
        done += bytes.size();
        if (i + 1 == keys.size() || keys[i + 1].layer != keys[i].layer)
            model.release_layer(keys[i].layer);
        if (request.progress) request.progress(done, total);
    }
    write_companions(model, writer);
    writer.commit();
    return total;
}

}  // namespace espalier
