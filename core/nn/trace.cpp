#include "nn/trace.h"

#include <algorithm>

#include <c10/core/InferenceMode.h>

#include "base/cancel.h"
#include "base/error.h"
#include "nn/block.h"
#include "nn/embedding.h"
#include "nn/head.h"
#include "nn/norms.h"
#include "nn/torch_errors.h"
#include "nn/torch_tensors.h"

namespace espalier {
namespace {

constexpr std::int64_t kBatchTokens = 2048;

/// Whole rows that are computed together, and their hidden states between layers.
struct Batch {
    Sequences sequences;
    torch::Tensor hidden;  ///< [tokens, hidden]
};

/// Hands what a layer computes to the observer.
class ObserverTap final : public LayerTap {
public:
    ObserverTap(std::int64_t layer, ForwardObserver& observer)
        : layer_(layer), observer_(observer) {}

    void on_mixer_output(const torch::Tensor& rows) override {
        observer_.on_activation(Activation::AttentionOutput, layer_, values(rows));
    }
    void on_feed_forward_output(const torch::Tensor& rows) override {
        observer_.on_activation(Activation::FeedForwardOutput, layer_, values(rows));
    }
    void on_routing(const RoutedRows& routing) override {
        const torch::Tensor selected = routing.selected.to(torch::kInt32);
        observer_.on_routing(layer_,
                             {.num_experts = routing.logits.size(1),
                              .top_k = selected.size(1),
                              .logits = values(routing.logits),
                              .selected = {selected.data_ptr<std::int32_t>(),
                                           static_cast<std::size_t>(selected.numel())},
                              .weights = values(routing.weights),
                              .scores = routing.scores.defined() ? values(routing.scores)
                                                                 : std::span<const float>()});
    }

private:
    std::int64_t layer_;
    ForwardObserver& observer_;
};

std::vector<Batch> embed(const ModelSource& source,
                         const std::vector<std::vector<std::int32_t>>& ids) {
    std::vector<Batch> batches;
    std::vector<std::int32_t> tokens;
    Sequences sequences;
    const auto flush = [&] {
        if (tokens.empty()) return;
        batches.push_back({sequences, embed_tokens(source, tokens)});
        tokens.clear();
        sequences.lengths.clear();
    };
    for (const auto& row : ids) {
        if (row.empty()) continue;
        if (static_cast<std::int64_t>(tokens.size() + row.size()) > kBatchTokens) flush();
        tokens.insert(tokens.end(), row.begin(), row.end());
        sequences.lengths.push_back(static_cast<std::int64_t>(row.size()));
    }
    flush();
    return batches;
}

std::int64_t longest(const std::vector<Batch>& batches) {
    std::int64_t length = 1;
    for (const Batch& batch : batches) {
        length = std::max(length, *std::max_element(batch.sequences.lengths.begin(),
                                                    batch.sequences.lengths.end()));
    }
    return length;
}

void trace_head(const ModelSource& source, const std::vector<Batch>& batches,
                ForwardObserver& observer, const std::stop_token& stop) {
    const Head head = load_head(source);
    for (const Batch& batch : batches) {
        throw_if_stopped(stop);
        const torch::Tensor normed =
            rms_norm(batch.hidden, head.norm, source.config().rms_norm_eps);
        observer.on_activation(Activation::FinalNorm, 0, values(normed));
        observer.on_activation(Activation::Logits, 0, values(head.logits(source.config(), normed)));
    }
    source.release_layer(-1);
}

void trace_layers(const ModelSource& source, const std::vector<std::vector<std::int32_t>>& ids,
                  const ExpertMask& mask, ForwardObserver& observer, const std::stop_token& stop) {
    const c10::InferenceMode inference;
    const MoeConfig& config = source.config();
    std::vector<Batch> batches = embed(source, ids);
    if (batches.empty()) {
        throw Error(ErrorCode::DataEmpty, "There are no token ids to trace.", "Give at least one.");
    }
    const Rotary rotary(config.attention.rope, longest(batches));
    const std::vector<bool> all_kept;
    for (std::int64_t layer = 0; layer < config.num_layers(); ++layer) {
        const LayerTensors weights = load_layer(source, layer, stop);
        ObserverTap tap(layer, observer);
        for (Batch& batch : batches) {
            observer.on_activation(Activation::HiddenStates, layer, values(batch.hidden));
            batch.hidden = run_block(
                {.config = config,
                 .layer = layer,
                 .weights = weights,
                 .rotary = rotary,
                 .sequences = batch.sequences,
                 .removed =
                     mask.empty() ? all_kept : mask.removed.at(static_cast<std::size_t>(layer)),
                 .routed_scale = static_cast<double>(mask.output_scale_of(layer)),
                 .tap = &tap,
                 .stop = stop},
                batch.hidden);
        }
        source.release_layer(static_cast<std::int32_t>(layer));
    }
    for (const Batch& batch : batches) {
        observer.on_activation(Activation::HiddenStates, config.num_layers(), values(batch.hidden));
    }
    trace_head(source, batches, observer, stop);
}

}  // namespace

void trace_model(const ModelSource& source, const std::vector<std::vector<std::int32_t>>& ids,
                 const ExpertMask& mask, ForwardObserver& observer, const std::stop_token& stop) {
    with_torch_errors([&] { trace_layers(source, ids, mask, observer, stop); });
}

}  // namespace espalier
