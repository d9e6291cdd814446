#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <vector>

#include "base/thread_pool.h"
#include "calib/calibration_windows.h"
#include "calib/hidden_states_file.h"
#include "calib/layer_measurement.h"
#include "infer/compute.h"
#include "infer/transformer.h"
#include "model/expert_mask.h"
#include "model/model_source.h"
#include "routing/stat_choice.h"

namespace espalier {

/// What one thread computes with. Weights lie in the mapped model; a copy that a weight needs is
/// each worker's own.
struct LayerWorker {
    explicit LayerWorker(const ModelSource& source) : transformer(source) {}

    ThreadPool pool{1};  ///< of the worker's own thread alone
    Transformer transformer;
    Scratch<float> hidden;
};

/// What one pass over the calibration tokens works with; everything must outlive the call.
struct LayerPass {
    const ModelSource& source;
    const TokenWindows& windows;
    const TokenTags& tags;  ///< of the windows
    std::span<const MicroBatch> batches;
    const HiddenStatesFile& input;                          ///< of the layer
    ThreadPool& pool;                                       ///< one micro-batch a worker
    std::span<const std::unique_ptr<LayerWorker>> workers;  ///< as many as the pool's threads
    Arithmetic arithmetic = Arithmetic::Float32;
    bool keeps_experts = true;  ///< copies of experts' weights, from batch to batch
    StatChoice stats = StatChoice::defaults();
    std::function<void(std::size_t batches_done)> progress;
    std::stop_token stop;
};

/// The embeddings of all tokens, input of layer 0.
void embed_windows(const LayerWorker& worker, const TokenWindows& windows,
                   std::span<const MicroBatch> batches, HiddenStatesFile& output,
                   const std::stop_token& stop);

/// Runs one layer over all tokens, writes its output, and returns what its experts and matrices
/// saw. The result has the same bits whatever the number of threads: batches are fixed, each is
/// computed by one thread, and their sums are added in order.
/// @throws Error NumberInvalid if the layer computes NaN or infinity
LayerMeasurement measure_layer(const LayerPass& pass, std::int64_t layer, HiddenStatesFile& output);

/// Runs one layer over all tokens and writes its output, no more. The pass's statistics are not
/// looked at. @throws as measure_layer()
void run_layer(const LayerPass& pass, std::int64_t layer, HiddenStatesFile& output);

/// Input energy of the output matrix: of the final norm's rows.
InputEnergy measure_output_input(const LayerPass& pass);

}  // namespace espalier
