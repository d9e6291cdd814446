#include "model/placed_model.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "base/error.h"
#include "formats/file_error.h"
#include "kernels/decode.h"
#include "model/model_tensors.h"

namespace espalier {
namespace {

/// GGUF writers drop outermost dimensions of 1.
bool same_shape(std::span<const std::int64_t> stored, std::span<const std::int64_t> expected) {
    while (!stored.empty() && stored.front() == 1) stored = stored.subspan(1);
    while (!expected.empty() && expected.front() == 1) expected = expected.subspan(1);
    return std::equal(stored.begin(), stored.end(), expected.begin(), expected.end());
}

/// The part of a stack [experts, …] that belongs to one expert.
TensorView slice(const TensorView& stack, std::int64_t num_experts, const TensorKey& key,
                 const Shape& shape) {
    const std::size_t bytes = stack.bytes.size() / static_cast<std::size_t>(num_experts);
    return {stack.dtype, shape,
            stack.bytes.subspan(static_cast<std::size_t>(key.expert) * bytes, bytes)};
}

Error tensor_error(const std::filesystem::path& path, std::string_view what) {
    return {ErrorCode::ArchTensor, fmt::format("{} {}.", path.filename().string(), what),
            "Compare the model with its original; config and weights may be of different models."};
}

/// Half-style row `row` of a head lies where? See RowOrder.
std::size_t paired_row(std::size_t row, std::size_t head_dim) {
    const std::size_t head = row / head_dim * head_dim;
    const std::size_t within = row % head_dim;
    const std::size_t half = head_dim / 2;
    return head + (within < half ? 2 * within : 2 * (within - half) + 1);
}

}  // namespace

void PlacedModel::place_tensors(const NameTable& table) {
    table_ = &table;
    for (auto& tensor : model_tensors(config_)) {
        places_.emplace_hint(places_.end(), tensor.key, locate(tensor.key, tensor.shape));
    }
    sort_by_layer();
}

StoredTensor PlacedModel::locate(const TensorKey& key, const Shape& shape) const {
    std::string first_name;
    for (const auto& row : table_->names) {
        if (row.role != key.role) continue;
        const std::string name = tensor_name(row.pattern, key);
        if (first_name.empty()) first_name = name;
        const TensorView* found = find_stored(name);
        if (!found) continue;
        const bool is_stack = key.expert >= 0 && row.pattern.find("{e}") == std::string_view::npos;
        Shape expected = shape;
        if (is_stack) expected.insert(expected.begin(), config_.router.num_experts);
        if (!same_shape(found->shape, expected)) {
            throw tensor_error(
                path_,
                fmt::format("has tensor {} of shape {}, its config asks for {}", in_quotes(name),
                            shape_text(found->shape), shape_text(expected)));
        }
        if (!kernels::can_decode(found->dtype)) {
            throw unsupported_file(path_,
                                   fmt::format("tensor {} is {}, which is no number format for "
                                               "weights",
                                               in_quotes(name), info(found->dtype).name));
        }
        if (is_stack) return {slice(*found, config_.router.num_experts, key, shape), row.rows};
        return {{found->dtype, shape, found->bytes}, row.rows};
    }
    throw tensor_error(path_, fmt::format("lacks tensor {}", in_quotes(first_name)));
}

void PlacedModel::sort_by_layer() {
    for (const auto& tensor : stored_tensors()) {
        auto key = role_of(tensor.name);
        by_layer_[key ? key->layer : -1].push_back(tensor.view);
        if (!key) {
            if (is_ignored(*table_, tensor.name)) continue;
            throw tensor_error(path_, fmt::format("has tensor {}, which its family does not know",
                                                  in_quotes(tensor.name)));
        }
        // A tied model may still carry its output matrix, which is not used.
        if (key->role == TensorRole::Output && config_.ties_embeddings) continue;
        if (is_expert_role(key->role) && key->expert < 0) key->expert = 0;  // a stack
        if (!has(*key)) {
            throw tensor_error(path_,
                               fmt::format("has tensor {}, for which its config has no place",
                                           in_quotes(tensor.name)));
        }
    }
}

const StoredTensor& PlacedModel::require(const TensorKey& key) const {
    const auto found = places_.find(key);
    if (found != places_.end()) return found->second;
    throw tensor_error(path_, fmt::format("has no tensor of role {} in layer {}, expert {}",
                                          static_cast<int>(key.role), key.layer, key.expert));
}

std::optional<TensorView> PlacedModel::view(const TensorKey& key) const {
    const auto found = places_.find(key);
    if (found == places_.end() || found->second.rows != RowOrder::AsNamed) return std::nullopt;
    return found->second.view;
}

std::optional<StoredTensor> PlacedModel::stored(const TensorKey& key) const {
    const auto found = places_.find(key);
    if (found == places_.end()) return std::nullopt;
    return found->second;
}

void PlacedModel::decode(const TensorKey& key, std::span<float> out) const {
    const auto& [view, rows] = require(key);
    if (num_elements(view.shape) != out.size()) {
        throw tensor_error(
            path_, fmt::format("cannot be decoded: {} places for a tensor of shape {}", out.size(),
                               shape_text(view.shape)));
    }
    if (rows == RowOrder::AsNamed) {
        kernels::decode(view.dtype, view.bytes, out);
        return;
    }
    const auto num_rows = static_cast<std::size_t>(view.shape.front());
    const std::size_t row_bytes = view.bytes.size() / num_rows;
    const std::size_t row_size = out.size() / num_rows;
    const auto head_dim = static_cast<std::size_t>(config_.attention.head_dim);
    for (std::size_t row = 0; row < num_rows; ++row) {
        kernels::decode(view.dtype,
                        view.bytes.subspan(paired_row(row, head_dim) * row_bytes, row_bytes),
                        out.subspan(row * row_size, row_size));
    }
}

Shape PlacedModel::shape(const TensorKey& key) const { return require(key).view.shape; }

void PlacedModel::release_layer(std::int32_t layer) const {
    const auto found = by_layer_.find(layer);
    if (found == by_layer_.end()) return;
    for (const auto& view : found->second) release(view);
}

std::optional<TensorKey> PlacedModel::role_of(std::string_view stored_name) const {
    return match_name(*table_, stored_name);
}

}  // namespace espalier
