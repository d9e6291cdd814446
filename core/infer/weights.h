#pragma once

#include <cstdint>
#include <vector>

#include "kernels/matrix_view.h"
#include "model/model_source.h"
#include "tensor/buffer.h"

namespace espalier {

/// A weight matrix ready for kernels: in place in its file, or decoded to float32 if the file holds
/// it in another order of elements.
class WeightMatrix {
public:
    WeightMatrix() = default;
    /// @throws Error FileUnsupported if no kernel reads the stored type
    WeightMatrix(const ModelSource& source, const TensorKey& key);

    const kernels::MatrixView& view() const noexcept { return view_; }
    /// How the rows of view() are ordered; products come out in that order.
    RowOrder rows() const noexcept { return rows_; }

private:
    kernels::MatrixView view_;
    RowOrder rows_ = RowOrder::AsNamed;
    Buffer<float> decoded_;
};

struct AttentionWeights {
    WeightMatrix q, k, v, output;
    std::vector<float> q_bias, k_bias, v_bias, output_bias;  ///< empty if the model has none
    std::vector<float> q_norm, k_norm;
};

/// down(silu(gate(x)) * up(x)): a dense layer, or one expert.
struct GatedMlpWeights {
    WeightMatrix gate, up, down;
};

struct LayerWeights {
    std::vector<float> attention_norm;
    AttentionWeights attention;
    std::vector<float> feed_forward_norm;
    WeightMatrix router;                   ///< of a Moe layer
    std::vector<GatedMlpWeights> experts;  ///< of a Moe layer; of a dense one, its single MLP
};

/// Resolves the tensors of a layer. Matrices are not read: an expert's pages are touched when a
/// token is first routed to it.
LayerWeights load_layer_weights(const ModelSource& source, std::int32_t layer);

/// A vector decoded to float32.
std::vector<float> load_vector(const ModelSource& source, const TensorKey& key);

}  // namespace espalier
