#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stop_token>
#include <vector>

#include "base/thread_pool.h"
#include "model/moe_config.h"
#include "prune/expert_values.h"

namespace espalier {

/// What the hidden channels of an expert are told apart by, a row each.
struct NeuronFeatures {
    std::size_t width = 0;
    std::vector<float> activations;  ///< [width, samples]: what enters down for each sampled input
    std::vector<float> weights;      ///< [width, 64]: gate row | up row | down column, projected
};

/// Projects channels' weights, [3 * hidden] each, on 64 directions drawn from the normal
/// distribution with a fixed seed and scaled by 1 / sqrt(64). REAM takes the 64 principal
/// components instead; random directions keep all distances to about 9 % (1 / sqrt(2 * 64)) too
/// (Johnson and Lindenstrauss), are the same for all experts and need no decomposition of a
/// [width * experts, 3 * hidden] matrix that would have to lie in memory.
class WeightProjection {
public:
    explicit WeightProjection(std::size_t hidden);
    /// [width, 64]
    std::vector<float> of(const ExpertValues& weights, ThreadPool& pool) const;

private:
    std::size_t hidden_;
    std::vector<float> directions_;  ///< [3, 64, hidden]
};

/// @param inputs what the layer's experts are given for some tokens, [samples, hidden]; may be
/// empty, then weights alone count
NeuronFeatures neuron_features(const ExpertValues& weights, const ExpertConfig& config,
                               std::span<const float> inputs, const WeightProjection& projection,
                               ThreadPool& pool);

/// Which channel of `other` corresponds to each of `reference`: the one-to-one assignment with the
/// least sum of costs, cost(i, j) = ||a_i - a_j|| / s_a + ||w_i - w_j|| / s_w over activations and
/// projected weights. Each scale s is the root mean square length of both experts' rows, so that
/// the two kinds count alike.
std::vector<std::int32_t> align_neurons(const NeuronFeatures& reference,
                                        const NeuronFeatures& other, ThreadPool& pool,
                                        const std::stop_token& stop = {});

}  // namespace espalier
