#include "eval/layer_comparison.h"

#include <algorithm>

namespace espalier {
namespace {

FidelityScope scope_of(const LayerAlignment& alignment, const RouterConfig& router) {
    return {.layer = alignment.layer,
            .router = router,
            .kept = alignment.reference_ids,
            .merged = alignment.merged};
}

std::span<const float> output_of(std::span<const float> outputs, std::size_t num_tokens,
                                 std::size_t row) {
    const std::size_t width = outputs.size() / num_tokens;
    return outputs.subspan(row * width, width);
}

}  // namespace

LayerComparison::LayerComparison(const LayerAlignment& alignment, const RouterConfig& router)
    : alignment_(alignment),
      routing_(scope_of(alignment, router)),
      local_(scope_of(alignment, router)) {}

void LayerComparison::add(const LayerRows& rows, std::size_t first, std::size_t last,
                          const std::function<void(std::size_t row, bool is_same)>& on_row) {
    for (std::size_t row = first; row < last; ++row) {
        const bool is_same = add_routing(rows.base, rows.current, row, routing_);
        if (on_row) on_row(row, is_same);
        if (rows.local == nullptr) continue;
        add_routing(rows.base, *rows.local, row, local_);
        add_outputs(rows, row);
    }
}

bool LayerComparison::add_routing(const RoutingRecorder::Layer& base,
                                  const RoutingRecorder::Layer& current, std::size_t row,
                                  FidelityAccumulator& sum) {
    const auto pick = [&](std::span<const float> from, std::vector<float>& into) {
        into.resize(from.empty() ? 0 : alignment_.model_ids.size());
        for (std::size_t i = 0; i < into.size(); ++i) {
            into[i] = from[static_cast<std::size_t>(alignment_.model_ids[i])];
        }
    };
    pick(current.logits_of(row), logits_);
    pick(current.scores_of(row), scores_);
    const auto chosen = current.selected_of(row);
    selected_.resize(chosen.size());
    std::transform(chosen.begin(), chosen.end(), selected_.begin(), [&](std::int32_t id) {
        return alignment_.position_of_model[static_cast<std::size_t>(id)];
    });
    return sum.add({base.logits_of(row), base.selected_of(row), base.weights_of(row), logits_,
                    selected_, current.weights_of(row), base.scores_of(row), scores_});
}

void LayerComparison::add_outputs(const LayerRows& rows, std::size_t row) {
    const auto base = output_of(rows.base.outputs, rows.base.num_tokens(), row);
    output_.add(base, output_of(rows.current.outputs, rows.current.num_tokens(), row));
    local_output_.add(base, output_of(rows.local->outputs, rows.local->num_tokens(), row));
    ++lost_tokens_;
    if (rows.lost.empty()) return;
    lost_ += norm_ratio(output_of(rows.lost, rows.base.num_tokens(), row), base);
}

void LayerComparison::merge(const LayerComparison& other) {
    routing_.merge(other.routing_);
    local_.merge(other.local_);
    output_.merge(other.output_);
    local_output_.merge(other.local_output_);
    lost_ += other.lost_;
    lost_tokens_ += other.lost_tokens_;
}

LayerFidelity LayerComparison::result() const {
    LayerFidelity result = routing_.result();
    if (lost_tokens_ == 0) return result;
    const LayerFidelity local = local_.result();
    result.has_outputs = true;
    result.local_recall = local.recall;
    result.local_exact = local.exact;
    result.local_kl = local.restricted_kl;
    result.local_output_cosine = local_output_.cosine();
    result.local_output_error = local_output_.normalised_error();
    result.output_cosine = output_.cosine();
    result.output_error = output_.normalised_error();
    result.lost_output = lost_ / static_cast<double>(lost_tokens_);
    return result;
}

}  // namespace espalier
