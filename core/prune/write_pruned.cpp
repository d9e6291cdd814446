#include "prune/write_pruned.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <memory>

#include "base/cancel.h"
#include "base/error.h"
#include "base/log.h"
#include "base/size_text.h"
#include "formats/gguf_writer.h"
#include "formats/hub_folder.h"
#include "kernels/decode.h"
#include "model/config_native.h"
#include "prune/cut_config.h"
#include "prune/cut_tensors.h"
#include "prune/merge_experts.h"
#include "routing/provenance.h"

namespace espalier {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kChunkBytes = std::size_t{8} << 20;
/// Config, tokenizer and headers beside the tensors.
constexpr std::uint64_t kRoomBeside = std::uint64_t{64} << 20;

void require_free_name(const fs::path& out) {
    std::error_code ignored;
    if (!fs::exists(out, ignored)) return;
    throw Error(ErrorCode::FileExists, fmt::format("{} exists already.", out.string()),
                "Choose another name or delete it first.");
}

void require_room(const fs::path& out, std::uint64_t bytes) {
    std::error_code error;
    fs::path folder = fs::absolute(out).parent_path();
    while (!fs::exists(folder, error) && folder.has_relative_path()) folder = folder.parent_path();
    const fs::space_info space = fs::space(folder, error);
    if (error || space.available >= bytes + kRoomBeside)
        return;  // an unknown size fails when writing
    throw Error(ErrorCode::DiskFull,
                fmt::format("The pruned model needs {}, {} are free in {}.", size_text(bytes),
                            size_text(space.available), folder.string()),
                "Free some space or write to another disk.");
}

std::int64_t kept_in(const ExpertPlan& plan, std::int64_t layer, const MoeConfig& config) {
    const auto found = plan.layers.find(layer);
    return found != plan.layers.end() ? static_cast<std::int64_t>(found->second.kept.size())
                                      : config.router.num_experts;
}

/// Of the routed layers: fewest and most.
std::pair<std::int64_t, std::int64_t> kept_range(const ExpertPlan& plan, const MoeConfig& config) {
    std::pair<std::int64_t, std::int64_t> range{config.router.num_experts, 0};
    for (const std::int64_t layer : config.moe_layers()) {
        const std::int64_t kept = kept_in(plan, layer, config);
        range = {std::min(range.first, kept), std::max(range.second, kept)};
    }
    return range;
}

/// The layers as a native config tells of them.
std::vector<NativeLayer> native_layers(const PruneWrite& request) {
    const MoeConfig& config = request.model.config();
    std::vector<NativeLayer> layers(config.layers.size());
    for (const std::int64_t index : config.moe_layers()) {
        NativeLayer& layer = layers[static_cast<std::size_t>(index)];
        if (request.constants == nullptr) {
            layer.num_experts = kept_in(request.plan, index, config);
            continue;
        }
        layer.num_experts = config.router.num_experts;
        const auto found = request.constants->find(index);
        if (found == request.constants->end()) continue;
        for (const auto& [expert, values] : found->second) layer.constants.push_back(expert);
    }
    return layers;
}

std::int64_t num_constants(const PruneWrite& request) {
    std::size_t count = 0;
    if (request.constants == nullptr) return 0;
    for (const auto& [layer, experts] : *request.constants) count += experts.size();
    return static_cast<std::int64_t>(count);
}

/// Constants come with a plan that replaces experts, and with no other.
void require_constants(const PruneWrite& request) {
    if (replaces_experts(request.plan) == (request.constants != nullptr)) return;
    throw Error(ErrorCode::RunRecipe,
                request.constants == nullptr
                    ? "The plan replaces experts by their mean outputs, which are not there."
                    : "There are mean outputs for a plan that removes experts.",
                "Give the statistics that the plan was made from: `--stats` beside "
                "`--expert-plan`.");
}

/// What becomes part of each survivor, in ids of the base model.
std::map<std::int32_t, std::vector<std::int32_t>> merged_originals(
    const LayerPlan& plan, const std::vector<std::int32_t>& row,
    const std::map<std::int32_t, std::vector<std::int32_t>>& before) {
    const auto originals = [&](std::int32_t expert) {
        const auto earlier = before.find(expert);
        return earlier == before.end() ? std::vector<std::int32_t>{} : earlier->second;
    };
    std::map<std::int32_t, std::vector<std::int32_t>> merged;
    for (std::size_t i = 0; i < plan.kept.size(); ++i) {
        std::vector<std::int32_t> ids = originals(plan.kept[i]);
        for (const auto& group : plan.groups) {
            if (group.front() != plan.kept[i]) continue;
            for (std::size_t m = 1; m < group.size(); ++m) {
                ids.push_back(row[static_cast<std::size_t>(group[m])]);
                const auto earlier = originals(group[m]);
                ids.insert(ids.end(), earlier.begin(), earlier.end());
            }
        }
        if (!ids.empty()) merged[static_cast<std::int32_t>(i)] = std::move(ids);
    }
    return merged;
}

/// Ids of the base model for what is kept, through the map of a model that was cut before.
Provenance cut_provenance(const PruneWrite& request) {
    Provenance provenance = provenance_of(request.model);
    for (const auto& [layer, plan] : request.plan.layers) {
        if (request.constants != nullptr) break;  // every number stays what it was
        auto& row = provenance.expert_map[static_cast<std::size_t>(layer)];
        auto merged = merged_originals(plan, row, provenance.merged[layer]);
        provenance.merged.erase(layer);
        if (!merged.empty()) provenance.merged[layer] = std::move(merged);
        std::vector<std::int32_t> kept;
        for (const std::int32_t expert : plan.kept)
            kept.push_back(row[static_cast<std::size_t>(expert)]);
        row = std::move(kept);
    }
    if (!request.lineage.is_null()) provenance.lineage.push_back(request.lineage);
    return provenance;
}

std::vector<TensorSpec> specs_of(const CutModel& cut) {
    std::vector<TensorSpec> specs;
    specs.reserve(cut.tensors.size());
    for (const CutTensor& tensor : cut.tensors) specs.push_back(tensor.spec);
    return specs;
}

/// The merger of a plan that merges, nothing for others.
std::unique_ptr<ExpertMerger> merger_of(const PruneWrite& request) {
    if (!request.plan.merges()) return nullptr;
    if (request.stats == nullptr) {
        throw Error(ErrorCode::RunRecipe,
                    "The plan merges experts, which takes statistics: neurons are aligned by what "
                    "they do on sampled tokens.",
                    "Give the statistics that the plan was made from (`--stats`).");
    }
    if (request.channels != nullptr) {
        throw Error(ErrorCode::RunRecipe, "Experts cannot be merged and lose channels in one step.",
                    "Merge first, then calibrate and cut the channels of the result.");
    }
    return std::make_unique<ExpertMerger>(MergeInput{.model = request.model,
                                                     .plan = request.plan,
                                                     .stats = *request.stats,
                                                     .num_threads = request.num_threads},
                                          request.stop);
}

/// Streams all of a tensor into `write(name, bytes)` and gives its pages back when it is done.
template <typename Write, typename Release>
class TensorStream {
public:
    TensorStream(const PruneWrite& request, const CutModel& cut, Write write, Release release)
        : request_(request), cut_(cut), write_(write), release_(release) {}

    void run(ExpertMerger* merger) {
        for (const CutTensor& tensor : cut_.tensors) {
            for (const MatrixCut& matrix : tensor.matrices) put(tensor, gather(matrix));
            const std::size_t pieces = tensor.matrices.empty() ? tensor.pieces.size() : 0;
            for (std::size_t i = 0; i < pieces; ++i) {
                const auto mean = tensor.merged.find(i);
                if (mean != tensor.merged.end()) {
                    put(tensor, merger->merged(mean->second));
                } else {
                    put(tensor, tensor.pieces[i]);
                }
            }
            release_(tensor.source);
        }
    }

private:
    void put(const CutTensor& tensor, std::span<const std::byte> bytes) {
        for (std::size_t at = 0; at < bytes.size(); at += kChunkBytes) {
            throw_if_stopped(request_.stop);
            const auto chunk = bytes.subspan(at, std::min(kChunkBytes, bytes.size() - at));
            write_(tensor.spec.name, tensor.scale == 1.0 ? chunk : scaled(tensor, chunk));
            done_ += chunk.size();
            if (request_.progress) request_.progress(done_, cut_.bytes_after);
        }
    }

    std::span<const std::byte> scaled(const CutTensor& tensor, std::span<const std::byte> chunk) {
        const DType dtype = tensor.source.dtype;
        values_.resize(chunk.size() / info(dtype).block_bytes);
        kernels::decode(dtype, chunk, values_);
        for (float& value : values_) {
            value = static_cast<float>(tensor.scale * static_cast<double>(value));
        }
        scaled_.resize(chunk.size());
        kernels::encode_float(dtype, values_, scaled_);
        return scaled_;
    }

    const PruneWrite& request_;
    const CutModel& cut_;
    std::vector<float> values_;
    std::vector<std::byte> scaled_;
    Write write_;
    Release release_;
    std::uint64_t done_ = 0;
};

void write_hub(const PruneWrite& request, const HubFolder& source, const CutModel& cut,
               std::int64_t kept, ExpertMerger* merger) {
    const bool is_native = needs_native(request.plan, request.model.config());
    const std::int64_t experts = request.model.config().router.num_experts;
    Json config = cut_config(source.config(), experts, is_native ? experts : kept);
    if (request.channels != nullptr) {
        config = cut_width(config, request.channels->width, request.channels->kept);
    }
    if (is_native) config = native_config(config, native_layers(request));
    const Json provenance = to_json(cut_provenance(request));
    HubFolderWriter writer(request.out, specs_of(cut));
    TensorStream(
        request, cut,
        [&writer](const std::string& name, std::span<const std::byte> bytes) {
            writer.write(name, bytes);
        },
        [&source](const TensorView& view) { source.release(view); })
        .run(merger);
    writer.write_json("config.json", config);
    writer.write_json(kProvenanceFile, provenance);
    for (const fs::path& file : source.companion_files()) {
        throw_if_stopped(request.stop);
        writer.copy_file(file);
    }
    writer.commit();
}

void write_gguf_file(const PruneWrite& request, const GgufFile& source, const CutModel& cut,
                     std::int64_t kept, ExpertMerger* merger) {
    if (needs_native(request.plan, request.model.config())) {
        throw Error(ErrorCode::GgufInexpressible,
                    "GGUF holds neither different numbers of experts in different layers nor "
                    "constants in place of experts.",
                    "Prune the hub folder, or keep the same number of experts in every layer.");
    }
    GgufMetadata metadata = cut_metadata(source.metadata(), kept);
    if (request.channels != nullptr) {
        metadata = cut_width(metadata, request.channels->width, request.channels->kept);
    }
    add_gguf_provenance(metadata, cut_provenance(request));
    GgufWriter writer(request.out, metadata, specs_of(cut));
    TensorStream(
        request, cut,
        [&writer](const std::string& name, std::span<const std::byte> bytes) {
            writer.write(name, bytes);
        },
        [&source](const TensorView& view) { source.file().release(view.bytes); })
        .run(merger);
    writer.commit();
}

}  // namespace

PruneReport write_pruned(const PruneWrite& request) {
    const MoeConfig& config = request.model.config();
    require_writable(request.plan, config, request.format);
    require_constants(request);
    if (!request.plan.model_hash.empty() && request.plan.model_hash != request.model.hash()) {
        log("prune").warn("the expert plan was made for another model than {}",
                          request.model.path().string());
    }
    if (request.channels != nullptr && !request.channels->model_hash.empty() &&
        request.channels->model_hash != request.model.hash()) {
        log("prune").warn("the plan of channels was made for another model than {}",
                          request.model.path().string());
    }
    const std::unique_ptr<ExpertMerger> merger = merger_of(request);
    const CutModel cut =
        cut_tensors(request.model, request.plan, request.channels, request.constants);
    require_free_name(request.out);
    require_room(request.out, cut.bytes_after);
    const auto [fewest, kept] = kept_range(request.plan, config);
    log("prune").info(
        "keeping {} of {} experts in {} layers, {} of {}",
        fewest == kept ? fmt::format("{}", kept) : fmt::format("{} to {}", fewest, kept),
        config.router.num_experts, config.moe_layers().size(), size_text(cut.bytes_after),
        size_text(cut.bytes_before));
    if (const HubFolder* folder = request.model.hub_folder()) {
        write_hub(request, *folder, cut, kept, merger.get());
    } else if (const GgufFile* file = request.model.gguf_file()) {
        write_gguf_file(request, *file, cut, kept, merger.get());
    } else {
        throw Error(ErrorCode::FileUnsupported,
                    fmt::format("{} is neither a hub folder nor a GGUF file.",
                                request.model.path().string()),
                    "Convert the model to one of these first.");
    }
    const std::int64_t width = config.moe_intermediate_size;
    return {.bytes_before = cut.bytes_before,
            .bytes_after = cut.bytes_after,
            .experts_before = config.router.num_experts,
            .experts_after = kept,
            .experts_after_min = fewest,
            .constants = num_constants(request),
            .is_native = needs_native(request.plan, config),
            .width_before = width,
            .width_after = request.channels != nullptr ? request.channels->kept : width,
            .dropped_tensors = cut.dropped};
}

}  // namespace espalier
