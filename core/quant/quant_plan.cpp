#include "quant/quant_plan.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "model/model_tensors.h"
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

const TensorName& gguf_name(const NameTable& table, TensorRole role) {
    const auto found = std::find_if(table.names.begin(), table.names.end(),
                                    [role](const TensorName& row) { return row.role == role; });
    if (found != table.names.end()) return *found;
    throw Error(
        ErrorCode::GgufInexpressible,
        fmt::format("The model has tensors that GGUF files of the architecture {} cannot hold.",
                    table.family),
        "Export it as a hub folder instead.");
}

PolicyContext context_of(const MoeConfig& config, const PlanOptions& options) {
    return {.num_layers = config.num_layers(),
            .num_experts = config.router.num_experts,
            .heads_per_kv_head = config.attention.num_heads / config.attention.num_kv_heads,
            .ties_embeddings = config.ties_embeddings,
            .has_importance = options.has_importance};
}

/// The whole stack for the first expert, nothing for the others.
bool is_later_expert(const TensorKey& key) { return key.expert > 0; }

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
    const NameTable& names = *gguf_names(plan.architecture);
    const PolicyContext context = context_of(config, options);
    for (ModelTensor& tensor : model_tensors(config)) {
        if (is_later_expert(tensor.key)) continue;
        if (tensor.key.expert == 0) {
            tensor.key.expert = -1;
            tensor.shape.insert(tensor.shape.begin(), config.router.num_experts);
        }
        const TensorName& name = gguf_name(names, tensor.key.role);
        const std::int64_t row_length = tensor.shape.back();
        const DType wished = wished_type(type, tensor.key, row_length, context);
        plan.tensors.push_back({{tensor_name(name.pattern, tensor.key),
                                 fallback_type(wished, row_length), std::move(tensor.shape)},
                                wished,
                                tensor.key,
                                name.rows});
    }
    return plan;
}

}  // namespace espalier
