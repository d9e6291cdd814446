#pragma once

#include <optional>
#include <string>

#include "model/tensor_role.h"

namespace espalier {

/// "blk.3.attn_q": what GGUF files call the matrix, without ".weight". Under these names
/// ExpertStats keeps the energy of a matrix' input; nothing for experts, which have statistics of
/// their own, and for tensors that nothing is multiplied with.
///
/// LatentKeyUp stands in GGUF files head by head and transposed, so that its input is the queries'
/// nope part: [heads * nope]. LatentValueUp's input is the normalised latent row, [rank], the same
/// for every head. DeltaBeta and DeltaDecay, one matrix in some files, have the same input.
std::optional<std::string> matrix_name(const TensorKey& key);

}  // namespace espalier
