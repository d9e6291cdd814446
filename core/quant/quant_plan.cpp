#include "quant/quant_plan.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "model/stored_layout.h"
#include "quant/gguf_architecture.h"
#include "quant/quant_policy.h"
#include "tensor/shape.h"

namespace espalier {
namespace {

const FileTypeInfo& find_file_type(std::string_view name) {
    for (const FileTypeInfo& row : file_types()) {
        if (row.name == name) return row;
    }
    throw Error(ErrorCode::UsageInvalid, fmt::format("\"{}\" is not a type to quantise to.", name),
                fmt::format("Choose one of {}.", fmt::join(known_file_types(), ", ")));
}

PolicyContext context_of(const MoeConfig& config, const PlanOptions& options) {
    return {.num_layers = config.num_layers(),
            .num_experts = config.router.num_experts,
            .heads_per_kv_head = config.attention.num_heads / config.attention.num_kv_heads,
            .ties_embeddings = config.ties_embeddings && !needs_output_tensor(config),
            .has_importance = options.has_importance};
}

/// The output matrix of a model that has none of its own.
void add_copy_of_embedding(std::vector<StoredLayout>& layouts) {
    const auto embedding = std::find_if(
        layouts.begin(), layouts.end(),
        [](const StoredLayout& layout) { return layout.key.role == TensorRole::TokenEmbedding; });
    StoredLayout copy = *embedding;  // its part goes on naming the embedding
    copy.name = "output.weight";
    copy.key.role = TensorRole::Output;
    layouts.push_back(std::move(copy));
}

}  // namespace

std::uint64_t QuantPlan::total_bytes() const {
    std::uint64_t total = 0;
    for (const PlannedTensor& tensor : tensors) {
        total += tensor_bytes(tensor.spec.dtype, tensor.spec.shape).value_or(0);
    }
    return total;
}

std::vector<std::string> known_file_types() {
    std::vector<std::string> names;
    for (const FileTypeInfo& row : file_types()) names.emplace_back(row.name);
    return names;
}

DType fallback_type(DType wished, std::int64_t row_length) {
    const auto fits = [row_length](DType dtype) {
        return row_length % static_cast<std::int64_t>(info(dtype).block_size) == 0;
    };
    if (fits(wished)) return wished;
    DType smaller = DType::F16;
    switch (wished) {
        case DType::Q2_K:
        case DType::Q3_K:
            smaller = DType::Q4_0;
            break;
        case DType::Q4_K:
            smaller = DType::Q5_0;
            break;
        case DType::Q5_K:
            smaller = DType::Q5_1;
            break;
        case DType::Q6_K:
            smaller = DType::Q8_0;
            break;
        default:
            break;
    }
    return fits(smaller) ? smaller : DType::F16;
}

QuantPlan plan_quantization(const MoeConfig& config, std::string_view file_type,
                            const PlanOptions& options) {
    const FileTypeInfo& type = find_file_type(file_type);
    QuantPlan plan;
    plan.file_type = std::string(type.name);
    plan.ggml_file_type = type.ggml_file_type;
    plan.architecture = std::string(gguf_architecture(config));
    const PolicyContext context = context_of(config, options);
    auto layouts = stored_layouts(config, *gguf_names(plan.architecture));
    if (config.ties_embeddings && needs_output_tensor(config)) add_copy_of_embedding(layouts);
    for (StoredLayout& layout : layouts) {
        const std::int64_t row_length = layout.shape.back();
        const DType wished = wished_type(type, layout.key, row_length, context);
        TensorSpec spec{layout.name, fallback_type(wished, row_length), layout.shape};
        plan.tensors.push_back({std::move(spec), wished, layout.key, std::move(layout)});
    }
    return plan;
}

}  // namespace espalier
