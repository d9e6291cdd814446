#include "prune/cut_channels.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <set>

#include "base/error.h"

namespace espalier {
namespace {

Error cannot_cut(const std::string& name, const std::string& why) {
    return Error(ErrorCode::ArchTensor,
                 fmt::format("The channels of {} cannot be cut: {}", name, why),
                 "Convert the model to a hub folder in bfloat16 first (`export --to hf`).");
}

/// What of a row is copied as one piece: a number, or a block of a quantised type.
std::vector<std::int32_t> kept_blocks(const std::string& name, DType dtype,
                                      const std::vector<std::int32_t>& channels) {
    const auto size = static_cast<std::int32_t>(info(dtype).block_size);
    std::set<std::int32_t> blocks;
    for (const std::int32_t c : channels) blocks.insert(c / size);
    if (blocks.size() * static_cast<std::size_t>(size) != channels.size()) {
        throw cannot_cut(name, fmt::format("it is stored as {}, in blocks of {} channels that stay "
                                           "or go together.",
                                           info(dtype).name, size));
    }
    return {blocks.begin(), blocks.end()};
}

std::size_t row_bytes(const MatrixCut& cut) {
    const DTypeInfo& type = info(cut.dtype);
    return static_cast<std::size_t>(cut.columns) / type.block_size * type.block_bytes;
}

/// Of a matrix with the rows of gate and up one after the other, both.
std::vector<std::int32_t> rows_of(const std::vector<std::int32_t>& channels, std::int64_t width,
                                  bool has_both) {
    std::vector<std::int32_t> rows = channels;
    if (!has_both) return rows;
    for (const std::int32_t c : channels) rows.push_back(c + static_cast<std::int32_t>(width));
    return rows;
}

}  // namespace

std::vector<std::byte> gather(const MatrixCut& cut) {
    const std::size_t row = row_bytes(cut);
    std::vector<std::byte> out;
    const auto append = [&](std::size_t at, std::size_t size) {
        const auto piece = cut.bytes.subspan(at, size);
        out.insert(out.end(), piece.begin(), piece.end());
    };
    if (!cut.keeps_columns) {
        out.reserve(cut.kept.size() * row);
        for (const std::int32_t kept : cut.kept) append(static_cast<std::size_t>(kept) * row, row);
        return out;
    }
    const std::size_t block = info(cut.dtype).block_bytes;
    const std::size_t rows = cut.bytes.size() / row;
    out.resize(rows * cut.kept.size() * block);
    std::byte* to = out.data();
    for (std::size_t r = 0; r < rows; ++r) {
        const std::byte* from = cut.bytes.data() + r * row;
        for (const std::int32_t kept : cut.kept) {
            std::memcpy(to, from + static_cast<std::size_t>(kept) * block, block);
            to += block;
        }
    }
    return out;
}

ChannelCut cut_channels(const NamedTensor& stored, const TensorKey& key, const ChannelPlan& plan,
                        std::span<const std::int32_t> experts) {
    const auto& layer = plan.layers.at(key.layer);
    const bool is_stack = key.expert < 0;
    const Shape& shape = stored.view.shape;
    const std::size_t dims = is_stack ? 3 : 2;
    const bool is_down = key.role == TensorRole::ExpertDown;
    const std::size_t axis = is_down ? dims - 1 : dims - 2;
    const bool has_both = shape.size() == dims && !is_down && shape[axis] == 2 * plan.width;
    if (shape.size() != dims || (shape[axis] != plan.width && !has_both) ||
        (is_stack && shape.front() != static_cast<std::int64_t>(layer.size()))) {
        throw cannot_cut(stored.name, fmt::format("its shape {} is not that of experts with {} "
                                                  "channels.",
                                                  shape_text(shape), plan.width));
    }
    ChannelCut cut{.shape = shape, .matrices = {}};
    cut.shape[axis] = has_both ? 2 * plan.kept : plan.kept;
    if (is_stack) cut.shape.front() = static_cast<std::int64_t>(experts.size());
    const std::size_t bytes =
        stored.view.bytes.size() / (is_stack ? static_cast<std::size_t>(shape.front()) : 1);
    const std::vector<std::int32_t> single{key.expert};
    for (const std::int32_t expert : is_stack ? experts : std::span<const std::int32_t>(single)) {
        const auto& channels = layer.at(static_cast<std::size_t>(expert));
        const std::size_t at = is_stack ? static_cast<std::size_t>(expert) * bytes : 0;
        cut.matrices.push_back({.bytes = stored.view.bytes.subspan(at, bytes),
                                .dtype = stored.view.dtype,
                                .columns = shape.back(),
                                .kept = is_down
                                            ? kept_blocks(stored.name, stored.view.dtype, channels)
                                            : rows_of(channels, plan.width, has_both),
                                .keeps_columns = is_down});
    }
    return cut;
}

void require_cuttable(const ModelSource& model, const ChannelPlan& plan) {
    require_fits(plan, model.config());
    const MoeConfig& config = model.config();
    // Their files give the shared expert's width as so many times that of a routed one, or keep
    // gate and up row by row in turns, with biases.
    const bool has_own_shared_width =
        config.shared_expert.width == 0 || config.family.starts_with("qwen");
    if (has_own_shared_width && !config.experts.has_bias) return;
    throw Error(
        ErrorCode::GgufInexpressible,
        fmt::format("The channels of {} experts cannot be cut: its files {}.", config.family,
                    config.experts.has_bias
                        ? "keep the rows of gate and up in turns"
                        : "say the shared expert's width in widths of a routed one"),
        "Remove whole experts instead.");
}

}  // namespace espalier
