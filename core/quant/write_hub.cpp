#include "quant/write_hub.h"

#include <fmt/format.h>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/error.h"
#include "formats/hub_folder_writer.h"
#include "kernels/decode.h"
#include "model/config_to_hub.h"
#include "model/stored_layout.h"
#include "model/tensor_names.h"
#include "quant/copy_hub.h"
#include "quant/left_out.h"
#include "quant/matrix_rows.h"
#include "routing/provenance.h"
#include "tensor/buffer.h"

namespace espalier {
namespace {

/// The type that holds the tensor's values without loss.
DType lossless_type(const ModelSource& model, const TensorKey& key) {
    const auto stored = model.stored(key);
    if (stored && (stored->view.dtype == DType::BF16 || stored->view.dtype == DType::F16)) {
        return stored->view.dtype;
    }
    return DType::F32;
}

void write_companions(const ModelSource& model, HubFolderWriter& writer) {
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

/// transformers keeps the one channel that each filter sees as a dimension.
Shape hub_shape(const StoredLayout& layout) {
    const bool is_filter = layout.key.role == TensorRole::DeltaConvolution ||
                           layout.key.role == TensorRole::ConvolutionKernel;
    if (!is_filter) return layout.shape;
    return {layout.shape.front(), 1, layout.shape.back()};
}

/// The values of the whole tensor, or of one expert's part of a stack.
Buffer<float> values_of(const ModelSource& model, const StoredLayout& layout, std::int32_t expert) {
    const MatrixRows rows(model, layout, expert);
    Buffer<float> values(rows.num_rows() * rows.num_columns());
    for (std::size_t row = 0; row < rows.num_rows(); ++row) {
        rows.decode(row, values.span().subspan(row * rows.num_columns(), rows.num_columns()));
    }
    return values;
}

TensorKey first_key(const StoredLayout& layout) {
    TensorKey key = layout.key;
    if (layout.is_stack) key.expert = 0;
    return key;
}

std::uint64_t copy_hub(const HubWrite& request, const HubFolder& folder) {
    const HubCopy copy(request.model, folder);
    HubFolderWriter writer(request.out, copy.specs());
    copy.write(writer, request);
    for (const auto& file : folder.companion_files()) writer.copy_file(file);
    Json config = folder.config();
    if (copy.has_pairs()) config.erase("quantization_config");
    writer.write_json("config.json", config);
    writer.write_json(kProvenanceFile, to_json(provenance_of(request.model)));
    writer.commit();
    return copy.total_bytes();
}

}  // namespace

std::uint64_t write_hub(const HubWrite& request) {
    const ModelSource& model = request.model;
    if (const HubFolder* folder = model.hub_folder()) return copy_hub(request, *folder);
    warn_of_left_out(model);
    const NameTable* table = hub_names(model.config().family);
    if (table == nullptr) {
        throw Error(ErrorCode::ArchUnknown,
                    fmt::format("The family {} has no hub layout here.", model.config().family),
                    "Keep the model as GGUF.");
    }
    const auto layouts = stored_layouts(model.config(), *table);
    std::vector<TensorSpec> specs;
    std::uint64_t total = 0;
    for (const StoredLayout& layout : layouts) {
        specs.push_back({layout.name, lossless_type(model, first_key(layout)), hub_shape(layout)});
        total += *tensor_bytes(specs.back().dtype, specs.back().shape);
    }

    HubFolderWriter writer(request.out, specs);
    std::uint64_t done = 0;
    for (std::size_t i = 0; i < layouts.size(); ++i) {
        const StoredLayout& layout = layouts[i];
        const std::int64_t parts = layout.is_stack ? layout.shape.front() : 1;
        for (std::int64_t part = 0; part < parts; ++part) {
            throw_if_stopped(request.stop);
            const auto values = values_of(model, layout, static_cast<std::int32_t>(part));
            std::vector<std::byte> bytes(values.size() * info(specs[i].dtype).block_bytes);
            kernels::encode_float(specs[i].dtype, values.span(), bytes);
            writer.write(specs[i].name, bytes);
            done += bytes.size();
            if (request.progress) request.progress(done, total);
        }
        if (i + 1 == layouts.size() || layouts[i + 1].key.layer != layout.key.layer)
            model.release_layer(layout.key.layer);
    }
    write_companions(model, writer);
    writer.commit();
    return total;
}

}  // namespace espalier
