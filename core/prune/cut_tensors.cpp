#include "prune/cut_tensors.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>
#include <optional>
#include <set>

#include "base/error.h"

namespace espalier {
namespace {

Error cannot_cut(const std::string& name, const std::string& why) {
    return Error(
        ErrorCode::ArchTensor, fmt::format("The tensor {} cannot be cut: {}", name, why),
        "Compare the model with its original; config and weights may be of different models.");
}

/// Blocks that predict further tokens have routers of their own, past the last layer or beside the
/// layers. Vision towers stay: they know nothing of experts.
bool is_prediction_block(const std::string& name) {
    return name.find("visual.") == std::string::npos;
}

/// The `experts.E.` part of a name with another number.
std::string renamed(const std::string& name, std::int32_t expert, std::size_t position) {
    const std::string old_part = fmt::format("experts.{}.", expert);
    const std::size_t at = name.find(old_part);
    if (at == std::string::npos)
        throw cannot_cut(name, "its name does not hold the number of its expert.");
    std::string result = name;
    return result.replace(at, old_part.size(), fmt::format("experts.{}.", position));
}

/// The rows of the outermost axis, one an expert, that stay.
CutTensor slice_experts(const NamedTensor& stored, const std::vector<std::int32_t>& kept,
                        std::int64_t num_experts) {
    const TensorView& view = stored.view;
    if (view.shape.empty() || view.shape.front() != num_experts ||
        view.bytes.size() % static_cast<std::size_t>(num_experts) != 0) {
        throw cannot_cut(stored.name, fmt::format("its shape {} does not begin with {} experts.",
                                                  shape_text(view.shape), num_experts));
    }
    CutTensor cut{{stored.name, view.dtype, view.shape}, view, {}, {}, {}};
    cut.spec.shape.front() = static_cast<std::int64_t>(kept.size());
    const std::size_t bytes = view.bytes.size() / static_cast<std::size_t>(num_experts);
    for (const std::int32_t expert : kept) {
        cut.pieces.push_back(view.bytes.subspan(static_cast<std::size_t>(expert) * bytes, bytes));
    }
    return cut;
}

CutTensor whole(const NamedTensor& stored, std::string name) {
    return {{std::move(name), stored.view.dtype, stored.view.shape},
            stored.view,
            {stored.view.bytes},
            {},
            {}};
}

/// Marks the pieces of experts that others are merged into.
CutTensor with_groups(CutTensor cut, const TensorKey& key, const LayerPlan& plan) {
    for (const auto& group : plan.groups) {
        const std::int32_t survivor = group.front();
        if (group.size() < 2 || (key.expert >= 0 && key.expert != survivor)) continue;
        const auto found = std::lower_bound(plan.kept.begin(), plan.kept.end(), survivor);
        const auto piece =
            key.expert >= 0 ? 0 : static_cast<std::size_t>(found - plan.kept.begin());
        cut.merged[piece] = {.key = {key.role, key.layer, survivor},
                             .dtype = cut.source.dtype,
                             .bytes = cut.pieces[piece].size()};
    }
    return cut;
}

/// Nothing if the tensor belongs to an expert that goes.
std::optional<CutTensor> cut_tensor(const NamedTensor& stored, const std::optional<TensorKey>& key,
                                    const ExpertPlan& plan, std::int64_t num_experts,
                                    bool replaces) {
    const bool is_expert = key && is_expert_role(key->role);
    if (!is_expert && !(key && is_router_role(key->role))) return whole(stored, stored.name);
    const auto layer = plan.layers.find(key->layer);
    if (layer == plan.layers.end()) return whole(stored, stored.name);
    if (!is_expert && replaces) return whole(stored, stored.name);
    const std::vector<std::int32_t>& kept = layer->second.kept;
    if (!is_expert) return slice_experts(stored, kept, num_experts);
    if (key->expert < 0) {
        return with_groups(slice_experts(stored, kept, num_experts), *key, layer->second);
    }
    const auto found = std::lower_bound(kept.begin(), kept.end(), key->expert);
    if (found == kept.end() || *found != key->expert) return std::nullopt;
    if (replaces) return whole(stored, stored.name);
    return with_groups(whole(stored, renamed(stored.name, key->expert,
                                             static_cast<std::size_t>(found - kept.begin()))),
                       *key, layer->second);
}

/// What an expert's output is linear in.
bool scales_output(const std::optional<TensorKey>& key) {
    return key && (key->role == TensorRole::ExpertDown || key->role == TensorRole::ExpertDownBias);
}

double output_scale(const NamedTensor& stored, const std::optional<TensorKey>& key,
                    const ExpertPlan& plan) {
    if (!scales_output(key)) return 1.0;
    const auto layer = plan.layers.find(key->layer);
    if (layer == plan.layers.end() || layer->second.output_scale == 1.0) return 1.0;
    const DType dtype = stored.view.dtype;
    if (dtype != DType::F32 && dtype != DType::F16 && dtype != DType::BF16) {
        throw Error(ErrorCode::FileUnsupported,
                    fmt::format("{} is stored as {}: what makes up for lost probability would have "
                                "to be quantised anew.",
                                stored.name, info(dtype).name),
                    "Prune the model in bfloat16 and quantise the result, or choose without "
                    "compensation.");
    }
    return layer->second.output_scale;
}

bool has_channels(const std::optional<TensorKey>& key) {
    return key && (key->role == TensorRole::ExpertGate || key->role == TensorRole::ExpertUp ||
                   key->role == TensorRole::ExpertDown);
}

/// The experts of a layer that stay, all of them if the plan says nothing.
std::vector<std::int32_t> kept_experts(const ExpertPlan& plan, std::int64_t layer,
                                       std::int64_t num_experts) {
    const auto found = plan.layers.find(layer);
    if (found != plan.layers.end()) return found->second.kept;
    std::vector<std::int32_t> all(static_cast<std::size_t>(num_experts));
    std::iota(all.begin(), all.end(), 0);
    return all;
}

/// A vector of constants as a tensor of its own, of no stored one.
CutTensor constant_tensor(std::int64_t layer, std::int32_t expert,
                          const std::vector<float>& values) {
    const TensorKey key{TensorRole::ExpertConstant, static_cast<std::int32_t>(layer), expert};
    CutTensor cut;
    cut.spec = {
        tensor_name(kConstantPattern, key), DType::F32, {static_cast<std::int64_t>(values.size())}};
    cut.pieces.push_back(std::as_bytes(std::span(values)));
    return cut;
}

std::uint64_t bytes_of(const TensorSpec& spec) {
    const DTypeInfo& type = info(spec.dtype);
    const auto elements = static_cast<std::uint64_t>(num_elements(spec.shape).value_or(0));
    return elements / type.block_size * type.block_bytes;
}

}  // namespace

CutModel cut_tensors(const ModelSource& model, const ExpertPlan& plan, const ChannelPlan* channels,
                     const ExpertConstants* constants) {
    if (channels != nullptr) require_cuttable(model, *channels);
    plan.require_fits(model.config());
    CutModel cut;
    const std::set<std::string> extra(model.extra_tensors().begin(), model.extra_tensors().end());
    for (const NamedTensor& stored : model.stored_tensors()) {
        cut.bytes_before += stored.view.bytes.size();
        const bool is_extra = extra.contains(stored.name);
        if (is_extra && is_prediction_block(stored.name)) {
            cut.dropped.push_back(stored.name);
            continue;
        }
        const auto key = is_extra ? std::nullopt : model.role_of(stored.name);
        auto tensor =
            cut_tensor(stored, key, plan, model.config().router.num_experts, constants != nullptr);
        if (!tensor) continue;
        tensor->scale = output_scale(stored, key, plan);
        if (channels != nullptr && has_channels(key)) {
            ChannelCut narrow =
                cut_channels(stored, *key, *channels,
                             kept_experts(plan, key->layer, model.config().router.num_experts));
            tensor->spec.shape = std::move(narrow.shape);
            tensor->matrices = std::move(narrow.matrices);
        }
        cut.bytes_after += bytes_of(tensor->spec);
        cut.tensors.push_back(std::move(*tensor));
    }
    if (constants == nullptr) return cut;
    for (const auto& [layer, experts] : *constants) {
        for (const auto& [expert, values] : experts) {
            cut.tensors.push_back(constant_tensor(layer, expert, values));
            cut.bytes_after += bytes_of(cut.tensors.back().spec);
        }
    }
    return cut;
}

}  // namespace espalier
