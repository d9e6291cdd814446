#pragma once

#include <array>
#include <cstdint>
#include <variant>
#include <vector>

#include "infer/weight_matrix.h"

namespace espalier {

// Vectors are decoded to float32 and empty where the model has none.

/// Full or sliding attention.
struct AttentionWeights {
    WeightMatrix q, k, v, output;
    std::vector<float> q_bias, k_bias, v_bias, output_bias;
    std::vector<float> q_norm, k_norm;
    std::vector<float> sinks;  ///< [heads]

    auto matrices() noexcept { return std::array{&q, &k, &v, &output}; }
};

/// MLA. Queries come from `q`, or through q_down and q_up.
struct LatentWeights {
    WeightMatrix q;
    WeightMatrix q_down, q_up;
    std::vector<float> q_down_bias, q_norm;
    WeightMatrix kv_down;
    std::vector<float> kv_down_bias, kv_norm;
    WeightMatrix key_up, value_up, output;
    std::vector<float> output_bias;

    auto matrices() noexcept {
        return std::array{&q, &q_down, &q_up, &kv_down, &key_up, &value_up, &output};
    }
};

struct DeltaNetWeights {
    WeightMatrix qkv, z, beta, decay, output;
    std::vector<float> taps;        ///< [kernel, channels]
    std::vector<float> log_a;       ///< [value heads]
    std::vector<float> decay_bias;  ///< [value heads]
    std::vector<float> norm;        ///< [value_dim]

    auto matrices() noexcept { return std::array{&qkv, &z, &beta, &decay, &output}; }
};

struct ShortConvolutionWeights {
    WeightMatrix in, out;
    std::vector<float> in_bias, out_bias;
    std::vector<float> taps;  ///< [kernel, hidden]
    std::vector<float> bias;  ///< [hidden]

    auto matrices() noexcept { return std::array{&in, &out}; }
};

using MixerWeights =
    std::variant<AttentionWeights, LatentWeights, DeltaNetWeights, ShortConvolutionWeights>;

/// down(activation(gate(x), up(x))): a dense layer, a shared expert, or one of many.
struct GatedMlpWeights {
    WeightMatrix gate, up, down;
    std::vector<float> gate_bias, up_bias, down_bias;
    std::vector<float> constant;  ///< [hidden], the output whatever x is: then there is no more

    bool is_constant() const noexcept { return !constant.empty(); }
    auto matrices() noexcept { return std::array{&gate, &up, &down}; }
    bool is_ready() const noexcept { return gate.is_ready() && up.is_ready() && down.is_ready(); }
    void prepare();
    void release() noexcept;
    /// Of all copies, at most.
    std::uint64_t copy_bytes() const noexcept {
        return gate.copy_bytes() + up.copy_bytes() + down.copy_bytes();
    }
};

struct LayerWeights {
    std::vector<float> mixer_norm;
    MixerWeights mixer;
    std::vector<float> feed_forward_norm;
    WeightMatrix router;  ///< of a Moe layer, as the next two
    std::vector<float> router_bias;
    std::vector<float> selection_bias;
    std::vector<GatedMlpWeights> experts;  ///< of a dense layer, its single MLP
    GatedMlpWeights shared;                ///< empty if there is none
    WeightMatrix shared_score;             ///< empty if the shared expert has no gate

    /// Makes the copies that every token needs; an expert's are made when a token comes to it.
    void prepare();
    /// Drops all copies.
    void release() noexcept;
    /// Of the copies that prepare() makes, at most.
    std::uint64_t copy_bytes() noexcept;
};

/// Resolves the tensors of a layer. Matrices are not read: their pages are touched when they are
/// first multiplied with.
LayerWeights load_layer_weights(const ModelSource& source, std::int32_t layer);

/// A vector, or any other tensor, decoded to float32.
std::vector<float> load_vector(const ModelSource& source, const TensorKey& key);

}  // namespace espalier
