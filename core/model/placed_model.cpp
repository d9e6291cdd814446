#include "model/placed_model.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <utility>

#include "base/error.h"
#include "formats/file_error.h"
#include "kernels/decode.h"
#include "model/model_tensors.h"
#include "model/place_tensor.h"
#include "model/row_places.h"

namespace espalier {
namespace {

Error tensor_error(const std::filesystem::path& path, std::string_view what) {
    return {ErrorCode::ArchTensor, fmt::format("{} {}.", path.filename().string(), what),
            "Compare the model with its original; config and weights may be of different models."};
}

/// The number that `text` begins with, before a dot; -1 if it does not.
std::int64_t leading_number(std::string_view text) {
    std::int64_t number = -1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool is_number = error == std::errc() && end != text.data() + text.size() && *end == '.';
    return is_number ? number : -1;
}

}  // namespace

void PlacedModel::place_tensors(const NameTable& table) {
    table_ = &table;
    for (auto& tensor : model_tensors(config_)) {
        places_.emplace_hint(places_.end(), tensor.key, locate(tensor.key, tensor.shape));
    }
    sort_by_layer();
}

const TensorView* PlacedModel::find_named(const std::string& name) const {
    if (const TensorView* found = find_stored(name)) return found;
    const std::string_view prefix = kModelPrefix;
    if (table_->other_prefix.empty() || !name.starts_with(prefix)) return nullptr;
    return find_stored(std::string(table_->other_prefix) + name.substr(prefix.size()));
}

TensorPlace PlacedModel::locate(const TensorKey& key, const Shape& shape) const {
    std::string first_name;
    for (const auto& row : table_->names) {
        if (row.role != key.role) continue;
        const TensorRequest request{row, key, shape, config_, path_};
        const std::string name = request.name();
        if (first_name.empty()) first_name = name;
        const TensorView* found = find_named(name);
        if (!found) continue;
        const TensorView* scales = nullptr;
        if (const std::string partner = request.partner_name(found->dtype); !partner.empty()) {
            scales = find_named(partner);
            if (!scales)
                throw tensor_error(path_, fmt::format("lacks tensor {}", in_quotes(partner)));
        }
        return place_tensor(request, *found, scales);
    }
    throw tensor_error(path_, fmt::format("lacks tensor {}", in_quotes(first_name)));
}

void PlacedModel::sort_by_layer() {
    for (const auto& tensor : stored_tensors()) {
        const auto key = role_of(tensor.name);
        by_layer_[key ? key->layer : -1].push_back(tensor.view);
        if (is_extra(tensor.name)) {
            extra_tensors_.push_back(tensor.name);
        } else if (key || !is_ignored(*table_, tensor.name)) {
            check_known(tensor, key);
        }
    }
}

bool PlacedModel::is_extra(std::string_view name) const {
    for (const std::string_view part : table_->extra) {
        if (name.starts_with(part)) return true;
    }
    const std::string_view prefix = table_->extra_layers;
    if (prefix.empty() || !name.starts_with(prefix)) return false;
    // A config written again by transformers 5 no longer counts the block that the weights have.
    const std::int64_t most = std::max<std::int64_t>(config_.num_extra_layers, 1);
    const std::int64_t layer = leading_number(name.substr(prefix.size()));
    return layer >= config_.num_layers() && layer < config_.num_layers() + most;
}

void PlacedModel::check_known(const NamedTensor& tensor,
                              const std::optional<TensorKey>& key) const {
    if (!key) {
        throw tensor_error(path_, fmt::format("has tensor {}, which its family does not know",
                                              in_quotes(tensor.name)));
    }
    // A tied model may still carry its output matrix, which is not used.
    if (key->role == TensorRole::Output && config_.ties_embeddings) return;
    const bool is_stack = is_expert_role(key->role) && key->expert < 0;
    auto found = places_.find(*key);
    if (is_stack) {  // of the first expert that is no constant
        found = places_.lower_bound({key->role, key->layer, 0});
        const bool is_there = found != places_.end() && found->first.role == key->role &&
                              found->first.layer == key->layer;
        if (!is_there) found = places_.end();
    }
    const bool is_stray =
        is_scale_name(tensor.name) && found != places_.end() && found->second.scales.bytes.empty();
    if (found != places_.end() && !is_stray) return;
    throw tensor_error(path_, fmt::format("has tensor {}, for which its config has no place",
                                          in_quotes(tensor.name)));
}

const TensorPlace& PlacedModel::require(const TensorKey& key) const {
    const auto found = places_.find(key);
    if (found != places_.end()) return found->second;
    throw tensor_error(path_, fmt::format("has no tensor of role {} in layer {}, expert {}",
                                          static_cast<int>(key.role), key.layer, key.expert));
}

std::optional<TensorView> PlacedModel::view(const TensorKey& key) const {
    const auto found = places_.find(key);
    if (found == places_.end() || !has_plain_rows(found->second)) return std::nullopt;
    const TensorPlace& place = found->second;
    if (place.rows != RowOrder::AsNamed) return std::nullopt;
    return TensorView{place.view.dtype, place.shape, place.view.bytes};
}

std::optional<StoredTensor> PlacedModel::stored(const TensorKey& key) const {
    const auto found = places_.find(key);
    if (found == places_.end() || !has_plain_rows(found->second)) return std::nullopt;
    const TensorPlace& place = found->second;
    if (place.rows == RowOrder::AsNamed) {
        return StoredTensor{{place.view.dtype, place.shape, place.view.bytes}};
    }
    return StoredTensor{place.view, place.rows,
                        row_places(place.rows, place.shape.front(), config_)};
}

std::optional<StoredTensor> PlacedModel::stored_pair(const TensorKey& key) const {
    const auto found = places_.find(key);
    if (found == places_.end() || found->second.form != TensorForm::Mxfp4Pair) return std::nullopt;
    const TensorPlace& place = found->second;
    return StoredTensor{place.view, place.rows,
                        row_places(place.rows, place.shape.front(), config_), place.scales};
}

void PlacedModel::decode(const TensorKey& key, std::span<float> out) const {
    const TensorPlace& place = require(key);
    if (num_elements(place.shape) != out.size()) {
        throw tensor_error(
            path_, fmt::format("cannot be decoded: {} places for a tensor of shape {}", out.size(),
                               shape_text(place.shape)));
    }
    espalier::decode(place, config_, out);
}

Shape PlacedModel::shape(const TensorKey& key) const { return require(key).shape; }

void PlacedModel::release_layer(std::int32_t layer) const {
    const auto found = by_layer_.find(layer);
    if (found == by_layer_.end()) return;
    for (const auto& view : found->second) release(view);
}

std::optional<TensorKey> PlacedModel::role_of(std::string_view stored_name) const {
    return match_name(*table_, stored_name);
}

}  // namespace espalier
