#include "calib/measure_layer.h"

#include <algorithm>
#include <fmt/format.h>

#include <c10/core/InferenceMode.h>

#include "base/cancel.h"
#include "base/error.h"
#include "calib/stats_tap.h"
#include "nn/block.h"
#include "nn/embedding.h"
#include "nn/norms.h"
#include "nn/torch_errors.h"
#include "nn/torch_tensors.h"

namespace espalier {
namespace {

Sequences sequences_of(const MicroBatch& batch, const TokenWindows& windows) {
    Sequences sequences;
    for (std::size_t w = batch.first_window; w < batch.first_window + batch.num_windows; ++w) {
        sequences.lengths.push_back(static_cast<std::int64_t>(windows.windows[w].size()));
    }
    return sequences;
}

torch::Tensor read_batch(const LayerPass& pass, const MicroBatch& batch) {
    torch::Tensor hidden = torch::empty({batch.num_tokens, pass.source.config().hidden_size});
    pass.input.read(batch.first_row, mutable_values(hidden));
    return hidden;
}

void check_finite(const torch::Tensor& hidden, std::int64_t layer) {
    if (torch::isfinite(hidden).all().item<bool>()) return;
    throw Error(ErrorCode::NumberInvalid,
                fmt::format("Layer {} computes NaN or infinity on the calibration data.", layer),
                "The model's weights are damaged: compare its checksums.");
}

struct LayerOnHand {
    std::int64_t index;
    const LayerTensors& weights;
    const Rotary& rotary;
};

LayerMeasurement measure_batch(const LayerPass& pass, const LayerOnHand& layer,
                               const MicroBatch& batch, HiddenStatesFile& output) {
    throw_if_stopped(pass.stop);
    const c10::InferenceMode inference;
    StatsTap tap({.config = pass.source.config(),
                  .stats = pass.stats,
                  .num_tasks = pass.windows.tasks.size(),
                  .num_samples = pass.tags.num_samples()},
                 pass.tags.of(batch.first_window, batch.num_windows));
    const Sequences sequences = sequences_of(batch, pass.windows);
    const std::vector<bool> all_kept;
    const auto index = static_cast<std::size_t>(layer.index);
    const torch::Tensor hidden = run_block({.config = pass.source.config(),
                                            .layer = layer.index,
                                            .weights = layer.weights,
                                            .rotary = layer.rotary,
                                            .sequences = sequences,
                                            .removed = pass.mask.empty()
                                                           ? all_kept
                                                           : pass.mask.removed.at(index),
                                            .tap = &tap,
                                            .stop = pass.stop},
                                           read_batch(pass, batch));
    check_finite(hidden, layer.index);
    output.write(batch.first_row, values(hidden));
    return std::move(tap).result();
}

/// ||w_down[:, c]||^2 of every expert, [experts, width].
std::vector<double> down_column_squares(const ExpertWeights& experts, std::int64_t num_experts,
                                        const std::stop_token& stop) {
    std::vector<double> sums;
    for (std::int64_t expert = 0; expert < num_experts; ++expert) {
        throw_if_stopped(stop);
        const torch::Tensor down = experts.at(expert).down.weight.contiguous();
        const auto width = static_cast<std::size_t>(down.size(1));
        sums.resize(sums.size() + width);
        add_squares(values(down), std::span(sums).last(width));
    }
    return sums;
}

std::int64_t longest_window(const TokenWindows& windows) {
    std::size_t length = 1;
    for (const auto& window : windows.windows) length = std::max(length, window.size());
    return static_cast<std::int64_t>(length);
}

/// Calls measure(batch) for all batches, as many at a time as there are workers, and adds the
/// results in the order of the batches.
template <typename Sum, typename Measure, typename Add>
void in_order(const LayerPass& pass, Sum& sum, const Measure& measure, const Add& add) {
    const std::size_t workers = pass.pool.num_threads();
    for (std::size_t begin = 0; begin < pass.batches.size(); begin += workers) {
        const auto wave =
            pass.batches.subspan(begin, std::min(workers, pass.batches.size() - begin));
        std::vector<Sum> parts(wave.size());
        pass.pool.parallel_for(wave.size(), 1, [&](std::size_t first, std::size_t last) {
            for (std::size_t i = first; i < last; ++i) parts[i] = measure(wave[i]);
        });
        for (const Sum& part : parts) add(sum, part);
        if (pass.progress) pass.progress(begin + wave.size());
    }
}

}  // namespace

void embed_windows(const ModelSource& source, const TokenWindows& windows,
                   std::span<const MicroBatch> batches, HiddenStatesFile& output,
                   const std::stop_token& stop) {
    with_torch_errors([&] {
        const c10::InferenceMode inference;
        for (const MicroBatch& batch : batches) {
            throw_if_stopped(stop);
            std::vector<std::int32_t> ids;
            for (std::size_t w = batch.first_window; w < batch.first_window + batch.num_windows;
                 ++w) {
                ids.insert(ids.end(), windows.windows[w].begin(), windows.windows[w].end());
            }
            output.write(batch.first_row, values(embed_tokens(source, ids)));
        }
        source.release_layer(-1);
    });
}

LayerMeasurement measure_layer(const LayerPass& pass, std::int64_t layer,
                               HiddenStatesFile& output) {
    return with_torch_errors([&] {
        const c10::InferenceMode inference;
        const LayerTensors weights = load_layer(pass.source, layer, pass.storage, pass.stop);
        // What is held has been copied; what is decoded on use stays mapped until the end.
        if (pass.storage == ExpertStorage::Held) {
            pass.source.release_layer(static_cast<std::int32_t>(layer));
        }
        const Rotary rotary(pass.source.config().attention.rope, longest_window(pass.windows));
        const LayerOnHand on_hand{.index = layer, .weights = weights, .rotary = rotary};
        LayerMeasurement sum;
        in_order(
            pass, sum,
            [&](const MicroBatch& batch) { return measure_batch(pass, on_hand, batch, output); },
            add_measurement);
        if (pass.stats.has(OptionalStat::Channels) && !sum.stats.count.empty()) {
            sum.stats.down_column_sq = down_column_squares(
                weights.experts, pass.source.config().router.num_experts, pass.stop);
        }
        pass.source.release_layer(static_cast<std::int32_t>(layer));
        return sum;
    });
}

InputEnergy measure_output_input(const LayerPass& pass) {
    return with_torch_errors([&] {
        const torch::Tensor weight = decode_tensor(pass.source, {TensorRole::OutputNorm});
        InputEnergy sum;
        in_order(
            pass, sum,
            [&](const MicroBatch& batch) {
                throw_if_stopped(pass.stop);
                const c10::InferenceMode inference;
                const torch::Tensor rows =
                    rms_norm(read_batch(pass, batch), weight, pass.source.config().rms_norm_eps);
                InputEnergy energy{
                    .tokens = rows.size(0),
                    .sq_sum = std::vector<double>(static_cast<std::size_t>(rows.size(1)))};
                add_squares(values(rows), energy.sq_sum);
                return energy;
            },
            add_energy);
        pass.source.release_layer(-1);
        return sum;
    });
}

}  // namespace espalier
