#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "model/model_source.h"
#include "prune/cut_channels.h"
#include "prune/expert_constants.h"
#include "prune/expert_plan.h"
#include "prune/merge_experts.h"
#include "tensor/tensor_view.h"

namespace espalier {

/// A tensor of the pruned artifact: pieces of a stored one, in order. Valid while the model lives.
struct CutTensor {
    TensorSpec spec;
    TensorView source;  ///< what the pieces are of
    std::vector<std::span<const std::byte>> pieces;
    std::vector<MatrixCut> matrices;  ///< in place of pieces, where channels are cut
    /// By index of the piece: those in whose place a mean of experts is written.
    std::map<std::size_t, MergedPiece> merged = {};
    double scale = 1.0;  ///< of all values
};

struct CutModel {
    std::vector<CutTensor> tensors;    ///< in the order of the model's stored tensors
    std::vector<std::string> dropped;  ///< multi-token-prediction blocks, which nothing here runs
    std::uint64_t bytes_before = 0;
    std::uint64_t bytes_after = 0;
};

/// What stays of each stored tensor: rows of the router, slices of stacks of experts, whole tensors
/// of single experts under their new number, everything else as it is. Nothing is copied. Pieces of
/// experts that others are merged into are marked.
/// @param channels which channels of the experts stay; null = all. Must outlive the result
/// @param constants in place of the experts that go: then the others keep their numbers and the
/// router all its rows; null = they are removed. Must outlive the result
/// @throws Error RunRecipe if the plan does not fit, ArchTensor for a tensor that cannot be cut,
/// FileUnsupported for quantised experts whose outputs are to be scaled
CutModel cut_tensors(const ModelSource& model, const ExpertPlan& plan,
                     const ChannelPlan* channels = nullptr,
                     const ExpertConstants* constants = nullptr);

}  // namespace espalier
