#pragma once

#include <cstdint>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "eval/log_probs.h"
#include "infer/layerwise.h"
#include "infer/native_model.h"
#include "model/expert_mask.h"
#include "tensor/buffer.h"

namespace espalier {

/// What the removal of experts costs on some tokens, against a whole model on the same tokens.
struct MaskCost {
    double kl = 0;    ///< nats a token, KL(whole || masked)
    double top1 = 0;  ///< share of positions with the same best token
    double perplexity = 0;
    std::int64_t tokens = 0;
};

struct MaskMeasurement {
    MaskCost all;
    std::vector<MaskCost> tasks;  ///< in the order of MaskProbe::tasks()
};

struct MaskProbeOptions {
    /// Positions of a window before this share of its length are not scored: they have too little
    /// context to tell anything.
    double unscored_share = 0.25;
    /// For hidden states at the layers where a measurement can begin, and for the whole model's
    /// predictions; what does not fit is computed again.
    std::uint64_t memory_bytes = std::uint64_t{1} << 30;
    /// The model is larger than memory: each layer is given back once it has been used.
    bool streams_layers = false;
    /// What masks are held to, kept by reference; null: the model itself without any. Of the same
    /// shape but for its experts.
    NativeModel* whole = nullptr;
};

/// Whether a model would hardly fit into what memory is free: then
/// MaskProbeOptions::streams_layers.
bool is_larger_than_memory(const ModelSource& model);
/// The same of so many bytes of weights.
bool is_larger_than_memory(std::uint64_t bytes);

/// Measures masks one after the other on the same tokens, fast: the whole model runs once, and a
/// mask costs the layers from the first one in which it differs from a settled mask.
class MaskProbe {
public:
    /// Runs the whole model. Keeps `model` by reference, and takes its mask and arithmetic over.
    /// @throws Error DataEmpty if no window has a position to score, DataLine for unknown ids;
    /// Cancelled
    MaskProbe(NativeModel& model, TokenWindows windows, const MaskProbeOptions& options = {},
              std::stop_token stop = {});

    const std::vector<std::string>& tasks() const noexcept { return windows_.tasks; }
    /// Of the model without a mask. Held to itself: KL 0 but for rounding, top-1 1.
    const MaskMeasurement& whole() const noexcept { return whole_; }
    /// @throws Error RunRecipe if the mask leaves fewer than top_k; NumberInvalid; Cancelled
    MaskMeasurement measure(const ExpertMask& mask, std::stop_token stop = {});
    /// Later measurements begin at the layers where they differ from this mask; free if it was
    /// measured last. @throws as measure()
    void settle(const ExpertMask& mask, std::stop_token stop = {});

private:
    struct Sums;
    /// Predictions of the whole model: [rows, vocab], [rows].
    struct WholeRows {
        std::span<const float> probabilities;
        std::span<const ReferenceRow> rows;
    };

    std::size_t first_layer_that_differs(const ExpertMask& mask) const;
    NativeModel& whole_model() { return options_.whole != nullptr ? *options_.whole : model_; }
    void remember_whole(const std::stop_token& stop);
    void run_layers(std::size_t begin, const std::stop_token& stop);
    MaskMeasurement score(const std::stop_token& stop);
    void add_rows(std::size_t window, std::size_t first, std::span<const float> logits,
                  std::vector<Sums>& sums);
    /// Predictions of the whole model at `count` tokens of a window, valid until the next call;
    /// `logits` are the ones at hand, which are the whole model's when it runs.
    WholeRows whole_rows(std::size_t window, std::size_t first, std::size_t count,
                         std::span<const float> logits);

    NativeModel& model_;
    TokenWindows windows_;
    MaskProbeOptions options_;
    std::size_t first_scored_ = 0;         ///< position in every window
    std::vector<std::size_t> begins_;      ///< of each window, in tokens
    std::vector<std::size_t> row_begins_;  ///< of each window, in scored rows
    LayerwisePass pass_;
    std::size_t stride_ = 1;                  ///< layers between two remembered states
    std::vector<std::vector<float>> states_;  ///< before layer i * stride_, under settled_
    ExpertMask settled_;
    /// The same under the mask measured last, from state `last_begin_` on; before it they are
    /// equal.
    std::vector<std::vector<float>> last_states_;
    std::size_t last_begin_ = 0;
    ExpertMask last_;
    bool has_last_ = false;      ///< nothing has cut the last measurement short, nor settled it
    bool is_whole_ = true;       ///< the whole model runs, and is remembered
    Buffer<float> whole_probs_;  ///< [scored rows, vocab], or empty:
    std::vector<ReferenceRow> whole_rows_;  ///< [scored rows] beside them, or of the last few rows
    Buffer<float> whole_hidden_;            ///< [tokens, hidden], before the head
    std::vector<float> computed_;           ///< probabilities that were computed again
    MaskMeasurement whole_;
};

}  // namespace espalier
