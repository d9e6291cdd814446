#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/model_source.h"
#include "prune/channel_plan.h"
#include "tensor/dtype.h"

namespace espalier {

/// A matrix of an expert, [rows, columns], of which some rows or some columns stay. The bytes are
/// gathered when they are written: single columns would make more spans than there is memory for.
struct MatrixCut {
    std::span<const std::byte> bytes;
    DType dtype = DType::F32;
    std::int64_t columns = 0;
    std::vector<std::int32_t> kept;
    bool keeps_columns = false;  ///< else rows
};

/// The bytes that stay.
std::vector<std::byte> gather(const MatrixCut& cut);

/// An expert tensor's matrices with their channels cut, and the shape that they then have.
struct ChannelCut {
    Shape shape;
    std::vector<MatrixCut> matrices;
};

/// @param key of gate, up or down of one expert or, with expert -1, of all
/// @param experts those that stay of a stacked tensor
/// @throws Error ArchTensor for a layout that holds channels otherwise, or blocks of quantised
/// columns that would be torn apart
ChannelCut cut_channels(const NamedTensor& stored, const TensorKey& key, const ChannelPlan& plan,
                        std::span<const std::int32_t> experts);

/// @throws Error GgufInexpressible for models whose experts' width says other things too
void require_cuttable(const ModelSource& model, const ChannelPlan& plan);

}  // namespace espalier
