#include "nn/head.h"

#include "nn/torch_tensors.h"

namespace espalier {

torch::Tensor Head::logits(const MoeConfig& config, const torch::Tensor& normed) const {
    const torch::Tensor rows = output(normed);
    return config.logits_divisor == 1.0 ? rows : rows / config.logits_divisor;
}

TensorKey output_key(const ModelSource& source) {
    const TensorKey own{TensorRole::Output};
    return source.has(own) ? own : TensorKey{TensorRole::TokenEmbedding};
}

Head load_head(const ModelSource& source) {
    return {.norm = decode_tensor(source, {TensorRole::OutputNorm}),
            .output = {.weight = decode_tensor(source, output_key(source)), .bias = {}}};
}

}  // namespace espalier
