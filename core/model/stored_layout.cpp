#include "model/stored_layout.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <string_view>

#include "base/error.h"
#include "model/model_tensors.h"
#include "model/row_places.h"
#include "model/tensor_place.h"

namespace espalier {
namespace {

const TensorName& writable_line(const NameTable& table, TensorRole role) {
    const auto found =
        std::find_if(table.names.begin(), table.names.end(), [role](const TensorName& row) {
            return row.role == role && row.form != TensorForm::Mxfp4Pair;
        });
    if (found != table.names.end()) return *found;
    throw Error(
        ErrorCode::GgufInexpressible,
        fmt::format("The model has tensors that files of the kind {} cannot hold.", table.family),
        "Keep the format that the model has.");
}

void require_expressible(const MoeConfig& config) {
    if (!config.is_native()) return;
    throw Error(ErrorCode::GgufInexpressible,
                "The model is native: its layers have different numbers of experts, or constants "
                "in place of experts. GGUF and the hub's formats can say neither.",
                "Run it here, or prune the original again with the same number of experts in every "
                "layer.");
}

bool holds_one_expert(const TensorName& row) {
    return row.pattern.find("{e}") != std::string_view::npos;
}

}  // namespace

Shape stored_shape(const TensorName& row, const Shape& shape, const MoeConfig& config) {
    Shape result = shape;
    result.front() = stored_rows(row.rows, shape.front(), config);
    const std::int64_t heads = config.attention.num_heads;
    switch (row.form) {
        case TensorForm::Plain:
        case TensorForm::TurnedColumns:
        case TensorForm::MinusOne:
        case TensorForm::MinusExp:
            return result;
        case TensorForm::Transposed:
            return {result.back(), result.front()};
        case TensorForm::Heads:
            return {heads, result.front() / heads, result.back()};
        case TensorForm::TransposedHeads:
            return {heads, result.back(), result.front() / heads};
        case TensorForm::Mxfp4Pair:
            return {result.front(), result.back() / kMxfp4Block, kMxfp4Bytes};
    }
    return result;
}

std::vector<StoredLayout> stored_layouts(const MoeConfig& config, const NameTable& table) {
    require_expressible(config);
    std::vector<StoredLayout> layouts;
    std::map<std::string, std::size_t, std::less<>> by_name;
    for (const ModelTensor& tensor : model_tensors(config)) {
        const TensorName& row = writable_line(table, tensor.key.role);
        const bool is_stack = tensor.key.expert >= 0 && !holds_one_expert(row);
        if (is_stack && tensor.key.expert > 0) continue;
        std::string name = tensor_name(row.pattern, tensor.key);
        const auto [place, is_new] = by_name.emplace(name, layouts.size());
        if (!is_new) {
            layouts[place->second].parts.push_back(row);
            continue;
        }
        StoredLayout layout{
            std::move(name), stored_shape(row, tensor.shape, config), tensor.key, {row}, is_stack};
        if (is_stack) {
            layout.shape.insert(layout.shape.begin(), config.num_weighted_of(layout.key.layer));
            layout.key.expert = -1;
        }
        layouts.push_back(std::move(layout));
    }
    return layouts;
}

}  // namespace espalier
