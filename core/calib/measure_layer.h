#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>

#include "base/thread_pool.h"
#include "calib/calibration_windows.h"
#include "calib/hidden_states_file.h"
#include "calib/layer_measurement.h"
#include "model/model_source.h"
#include "nn/expert_storage.h"
#include "routing/stat_choice.h"

namespace espalier {

/// What one pass over the calibration tokens works with; everything must outlive the call.
struct LayerPass {
    const ModelSource& source;
    const TokenWindows& windows;
    const TokenTags& tags;  ///< of the windows
    std::span<const MicroBatch> batches;
    const HiddenStatesFile& input;  ///< of the layer
    ThreadPool& pool;               ///< one micro-batch a worker
    ExpertStorage storage = ExpertStorage::Held;
    StatChoice stats = StatChoice::defaults();
    const ExpertMask& mask;  ///< experts that are not used
    std::function<void(std::size_t batches_done)> progress;
    std::stop_token stop;
};

/// The embeddings of all tokens, input of layer 0.
void embed_windows(const ModelSource& source, const TokenWindows& windows,
                   std::span<const MicroBatch> batches, HiddenStatesFile& output,
                   const std::stop_token& stop);

/// Runs one layer over all tokens, writes its output, and returns what its experts and matrices
/// saw. The result has the same bits whatever the number of threads: batches are fixed, each is
/// computed by one thread, and their sums are added in order.
/// @throws Error NumberInvalid if the layer computes NaN or infinity
LayerMeasurement measure_layer(const LayerPass& pass, std::int64_t layer, HiddenStatesFile& output);

/// Input energy of the output matrix: of the final norm's rows.
InputEnergy measure_output_input(const LayerPass& pass);

}  // namespace espalier
