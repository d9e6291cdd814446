#include "nn/embedding.h"

#include "nn/torch_tensors.h"

namespace espalier {

torch::Tensor embed_tokens(const ModelSource& source, std::span<const std::int32_t> ids) {
    const torch::Tensor rows = decode_rows(source, {TensorRole::TokenEmbedding}, ids);
    const double multiplier = source.config().embedding_multiplier;
    return multiplier == 1.0 ? rows : rows * multiplier;
}

}  // namespace espalier
