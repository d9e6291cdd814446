#include "eval/layer_pair_pass.h"

#include <algorithm>

#include "infer/router.h"
#include "infer/transformer.h"

namespace espalier {
namespace {

/// Tokens that go through a layer together, as in NativeModel.
constexpr std::size_t kBatchTokens = 512;

Compute compute_of(NativeModel& model, const std::stop_token& stop) {
    return {model.pool(), model.arithmetic(), stop};
}

}  // namespace

LayerPairPass::Side::Side(NativeModel& source, std::span<const std::vector<std::int32_t>> windows)
    : native(source),
      width(static_cast<std::size_t>(source.config().hidden_size)),
      pass(source, windows) {
    for (const auto& window : windows) begins.push_back(begins.back() + window.size());
}

std::span<float> LayerPairPass::Side::rows(std::size_t window, std::size_t first,
                                           std::size_t count) {
    return pass.hidden().subspan((begins[window] + first) * width, count * width);
}

bool LayerPairPass::Side::has(std::size_t layer) const {
    return layer < native.config().layers.size();
}

LayerPairPass::LayerPairPass(NativeModel& reference, NativeModel& model,
                             std::span<const std::vector<std::int32_t>> windows)
    : windows_(windows), reference_(reference, windows), model_(model, windows) {}

void LayerPairPass::run_layer(std::size_t layer, const LayerAlignment* alignment,
                              const OnRows& on_rows, const std::stop_token& stop) {
    // Every window starts with an empty context: one cache serves them all in turn.
    std::vector<LayerCache> caches;
    for (Side* side : {&reference_, &model_}) {
        const std::size_t known = side->has(layer) ? layer : 0;
        caches.push_back(make_layer_cache(side->native.config(), known));
    }
    for (std::size_t w = 0; w < windows_.size(); ++w) {
        for (std::size_t first = 0; first < windows_[w].size(); first += kBatchTokens) {
            const Batch batch{w, first, std::min(kBatchTokens, windows_[w].size() - first)};
            const bool is_compared = alignment != nullptr;
            const bool is_same_width = reference_.width == model_.width;
            if (reference_.has(layer)) {
                run_reference(layer, batch, caches[0], is_compared && is_same_width, stop);
            }
            if (is_compared && is_same_width) {
                run_local(layer, stop);
                run_lost(layer, *alignment, stop);
            }
            if (model_.has(layer)) run_model(layer, batch, caches[1], stop);
            if (!is_compared) continue;
            const auto at = static_cast<std::int64_t>(layer);
            on_rows(w, first,
                    {reference_.routing.layer(at), model_.routing.layer(at),
                     is_same_width ? &local_.layer(at) : nullptr,
                     is_same_width ? std::span<const float>(lost_) : std::span<const float>()});
        }
    }
}

void LayerPairPass::run_reference(std::size_t layer, const Batch& batch, LayerCache& cache,
                                  bool is_compared, const std::stop_token& stop) {
    Transformer& transformer = reference_.native.transformer();
    const Compute compute = compute_of(reference_.native, stop);
    const auto hidden = reference_.rows(batch.window, batch.first, batch.count);
    reference_.routing.clear();
    transformer.run_mixer(compute, layer, hidden, cache, static_cast<std::int64_t>(batch.first),
                          nullptr);
    if (is_compared) residual_.assign(hidden.begin(), hidden.end());
    transformer.run_feed_forward(compute, layer, hidden, &reference_.routing);
}

void LayerPairPass::run_local(std::size_t layer, const std::stop_token& stop) {
    std::vector<float> hidden = residual_;
    local_.clear();
    model_.native.transformer().run_feed_forward(compute_of(model_.native, stop), layer, hidden,
                                                 &local_);
}

// The reference's own choice, with nothing left of the experts that remain.
void LayerPairPass::run_lost(std::size_t layer, const LayerAlignment& alignment,
                             const std::stop_token& stop) {
    lost_.clear();
    const auto& base = reference_.routing.layer(static_cast<std::int64_t>(layer));
    if (alignment.reference_ids.size() == base.num_experts) return;
    Routing routing{base.selected, base.weights, {}};
    for (std::size_t i = 0; i < routing.selected.size(); ++i) {
        const bool stays = std::binary_search(alignment.reference_ids.begin(),
                                              alignment.reference_ids.end(), routing.selected[i]);
        if (stays) routing.weights[i] = 0.0F;
    }
    lost_.resize(residual_.size());
    reference_.native.transformer().run_experts(compute_of(reference_.native, stop), layer,
                                                residual_, routing, lost_);
}

void LayerPairPass::run_model(std::size_t layer, const Batch& batch, LayerCache& cache,
                              const std::stop_token& stop) {
    Transformer& transformer = model_.native.transformer();
    const Compute compute = compute_of(model_.native, stop);
    const auto hidden = model_.rows(batch.window, batch.first, batch.count);
    model_.routing.clear();
    transformer.run_mixer(compute, layer, hidden, cache, static_cast<std::int64_t>(batch.first),
                          nullptr);
    transformer.run_feed_forward(compute, layer, hidden, &model_.routing);
}

void LayerPairPass::release_layer(std::size_t layer) {
    for (Side* side : {&reference_, &model_}) {
        if (side->has(layer)) side->native.transformer().release_layer(layer);
    }
}

}  // namespace espalier
