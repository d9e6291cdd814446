#include "calib/measure_layer.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <utility>

#include "base/cancel.h"
#include "base/error.h"
#include "calib/layer_accumulator.h"
#include "calib/stats_tap.h"
#include "infer/layer_cache.h"
#include "infer/weights.h"
#include "kernels/vector_ops.h"

namespace espalier {
namespace {

std::size_t hidden_size(const LayerPass& pass) {
    return static_cast<std::size_t>(pass.source.config().hidden_size);
}

std::span<float> read_batch(const LayerPass& pass, const MicroBatch& batch, LayerWorker& worker) {
    const auto hidden =
        worker.hidden.take(static_cast<std::size_t>(batch.num_tokens) * hidden_size(pass));
    pass.input.read(batch.first_row, hidden);
    return hidden;
}

void check_finite(std::span<const float> hidden, std::int64_t layer) {
    // One sum instead of a branch a value: NaN and infinity come through, 0 * x is 0 otherwise.
    float sum = 0;
    for (const float value : hidden) sum += 0.0F * value;
    if (sum == 0.0F) return;
    throw Error(ErrorCode::NumberInvalid,
                fmt::format("Layer {} computes NaN or infinity on the calibration data.", layer),
                "The model's weights are damaged: compare its checksums.");
}

/// @param observer null: nobody watches
void run_batch(const LayerPass& pass, std::size_t layer, const MicroBatch& batch,
               LayerWorker& worker, HiddenStatesFile& output, ForwardObserver* observer) {
    throw_if_stopped(pass.stop);
    const Compute compute{.pool = worker.pool,
                          .arithmetic = pass.arithmetic,
                          .stop = pass.stop,
                          .keeps_experts = pass.keeps_experts};
    const auto hidden = read_batch(pass, batch, worker);
    // Tokens are mixed within their window; experts serve those of the whole batch.
    for (std::size_t i = 0, first = 0; i < batch.num_windows; ++i) {
        const std::size_t size =
            pass.windows.windows[batch.first_window + i].size() * hidden_size(pass);
        LayerCache cache = make_layer_cache(pass.source.config(), layer);
        worker.transformer.run_mixer(compute, layer, hidden.subspan(first, size), cache, 0,
                                     observer);
        first += size;
    }
    worker.transformer.run_feed_forward(compute, layer, hidden, observer);
    check_finite(hidden, static_cast<std::int64_t>(layer));
    output.write(batch.first_row, hidden);
}

LayerMeasurement measure_batch(const LayerPass& pass, std::size_t layer, const MicroBatch& batch,
                               LayerWorker& worker, HiddenStatesFile& output) {
    StatsTap tap({.config = pass.source.config(),
                  .stats = pass.stats,
                  .num_tasks = pass.windows.tasks.size(),
                  .num_samples = pass.tags.num_samples()},
                 pass.tags.of(batch.first_window, batch.num_windows));
    run_batch(pass, layer, batch, worker, output, &tap);
    return std::move(tap).result();
}

/// ||w_down[:, c]||^2 of every expert, [experts, width].
std::vector<double> down_column_squares(const LayerPass& pass, std::int64_t layer) {
    const auto experts = static_cast<std::size_t>(pass.source.config().router.num_experts);
    const auto key = [layer](std::size_t expert) {
        return TensorKey{TensorRole::ExpertDown, static_cast<std::int32_t>(layer),
                         static_cast<std::int32_t>(expert)};
    };
    const auto width = static_cast<std::size_t>(pass.source.shape(key(0)).at(1));
    std::vector<double> sums(experts * width);
    pass.pool.parallel_for(experts, 1, [&](std::size_t begin, std::size_t end) {
        for (std::size_t e = begin; e < end; ++e) {
            throw_if_stopped(pass.stop);
            add_squares(load_vector(pass.source, key(e)),
                        std::span(sums).subspan(e * width, width));
        }
    });
    return sums;
}

/// Calls measure(batch, worker) for all batches, as many at a time as there are workers, and adds
/// the results in the order of the batches.
template <typename Sum, typename Measure, typename Add>
void in_order(const LayerPass& pass, Sum& sum, const Measure& measure, const Add& add) {
    const std::size_t workers = pass.workers.size();
    for (std::size_t begin = 0; begin < pass.batches.size(); begin += workers) {
        const auto wave =
            pass.batches.subspan(begin, std::min(workers, pass.batches.size() - begin));
        std::vector<Sum> parts(wave.size());
        pass.pool.parallel_for(wave.size(), 1, [&](std::size_t first, std::size_t last) {
            for (std::size_t i = first; i < last; ++i) {
                parts[i] = measure(wave[i], *pass.workers[i]);
            }
        });
        for (const Sum& part : parts) add(sum, part);
        if (pass.progress) pass.progress(begin + wave.size());
    }
}

}  // namespace

void embed_windows(const LayerWorker& worker, const TokenWindows& windows,
                   std::span<const MicroBatch> batches, HiddenStatesFile& output,
                   const std::stop_token& stop) {
    const Transformer& transformer = worker.transformer;
    const auto width = static_cast<std::size_t>(transformer.config().hidden_size);
    std::vector<float> rows;
    for (const MicroBatch& batch : batches) {
        throw_if_stopped(stop);
        std::vector<std::int32_t> ids;
        for (std::size_t w = batch.first_window; w < batch.first_window + batch.num_windows; ++w) {
            ids.insert(ids.end(), windows.windows[w].begin(), windows.windows[w].end());
        }
        rows.resize(ids.size() * width);
        transformer.embed(ids, rows);
        output.write(batch.first_row, rows);
    }
    transformer.source().release_layer(-1);
}

LayerMeasurement measure_layer(const LayerPass& pass, std::int64_t layer,
                               HiddenStatesFile& output) {
    const auto index = static_cast<std::size_t>(layer);
    LayerMeasurement sum;
    in_order(
        pass, sum,
        [&](const MicroBatch& batch, LayerWorker& worker) {
            return measure_batch(pass, index, batch, worker, output);
        },
        add_measurement);
    if (pass.stats.has(OptionalStat::Channels) && !sum.stats.count.empty()) {
        sum.stats.down_column_sq = down_column_squares(pass, layer);
    }
    for (const auto& worker : pass.workers) worker->transformer.release_layer(index);
    return sum;
}

void run_layer(const LayerPass& pass, std::int64_t layer, HiddenStatesFile& output) {
    struct Nothing {};
    const auto index = static_cast<std::size_t>(layer);
    Nothing nothing;
    in_order(
        pass, nothing,
        [&](const MicroBatch& batch, LayerWorker& worker) {
            run_batch(pass, index, batch, worker, output, nullptr);
            return Nothing{};
        },
        [](Nothing&, const Nothing&) {});
    for (const auto& worker : pass.workers) worker->transformer.release_layer(index);
}

InputEnergy measure_output_input(const LayerPass& pass) {
    const std::vector<float> weight = load_vector(pass.source, {TensorRole::OutputNorm});
    const auto epsilon = static_cast<float>(pass.source.config().rms_norm_eps);
    const std::size_t width = weight.size();
    InputEnergy sum;
    in_order(
        pass, sum,
        [&](const MicroBatch& batch, LayerWorker& worker) {
            throw_if_stopped(pass.stop);
            const auto rows = read_batch(pass, batch, worker);
            for (std::size_t i = 0; i < rows.size(); i += width) {
                const auto row = rows.subspan(i, width);
                kernels::rms_norm(row, weight, epsilon, row);
            }
            return energy_of(rows, static_cast<std::size_t>(batch.num_tokens));
        },
        add_energy);
    pass.source.release_layer(-1);
    return sum;
}

}  // namespace espalier
