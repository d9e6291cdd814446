#include "infer/feed_forward.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "base/cancel.h"
#include "kernels/gate_ops.h"
#include "kernels/matmul_bf16.h"
#include "kernels/vector_ops.h"

namespace espalier {
namespace {

/// Weight rows in a piece of work: whole kernel tiles, several for the few vectors of generation.
constexpr std::size_t kPieceRows = 16;
constexpr std::size_t kPieceRowsOfOne = 64;
constexpr std::size_t kCombineTokens = 16;

// Matrices that are multiplied with the same rows.
constexpr std::array kRouter{TensorRole::Router};
constexpr std::array kSharedInputs{TensorRole::SharedGate, TensorRole::SharedUp};
constexpr std::array kSharedInner{TensorRole::SharedDown};
constexpr std::array kSharedScore{TensorRole::SharedScore};
constexpr std::array kDenseInputs{TensorRole::DenseGate, TensorRole::DenseUp};
constexpr std::array kDenseInner{TensorRole::DenseDown};

}  // namespace

void FeedForward::group_by_expert(LayerWeights& weights, const Routing& routing) {
    const std::size_t num_slots = routing.selected.size();
    std::vector<std::size_t> next(weights.experts.size() + 1, 0);
    for (const std::int32_t expert : routing.selected) ++next[static_cast<std::size_t>(expert) + 1];
    groups_.clear();
    constants_.clear();
    for (std::size_t e = 0; e < weights.experts.size(); ++e) {
        next[e + 1] += next[e];
        if (next[e + 1] == next[e]) continue;
        auto& groups = weights.experts[e].is_constant() ? constants_ : groups_;
        groups.push_back({&weights.experts[e], next[e], next[e + 1]});
    }
    slot_token_.resize(num_slots);
    token_slot_.resize(num_slots);
    const std::size_t top_k = num_slots / std::max<std::size_t>(num_tokens_, 1);
    for (std::size_t i = 0; i < num_slots; ++i) {
        const std::size_t slot = next[static_cast<std::size_t>(routing.selected[i])]++;
        slot_token_[slot] = static_cast<std::int32_t>(i / top_k);
        token_slot_[i] = static_cast<std::int32_t>(slot);
    }
}

void FeedForward::prepare_experts(const Compute& compute) {
    std::vector<GatedMlpWeights*> missing;
    for (const Group& group : groups_) {
        if (!group.expert->is_ready()) missing.push_back(group.expert);
    }
    if (missing.empty()) return;
    compute.pool.parallel_for(missing.size(), 1, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
            throw_if_stopped(compute.stop);
            missing[i]->prepare();
        }
    });
}

void FeedForward::cut_into_pieces(const Compute& compute, std::size_t num_rows) {
    pieces_.clear();
    for (const Group& group : groups_) {
        const std::size_t step = compute.arithmetic == Arithmetic::BFloat16
                                     ? kernels::kBf16BlockRows
                                 : group.last_slot - group.first_slot == 1 ? kPieceRowsOfOne
                                                                           : kPieceRows;
        for (std::size_t row = 0; row < num_rows; row += step) {
            pieces_.push_back({&group, row, std::min(row + step, num_rows)});
        }
    }
}

/// Biases and activation of one slot, for the rows of a piece; the result takes the gate's place.
void FeedForward::activate(const Piece& piece, const ExpertConfig& config, std::size_t slot) {
    const std::size_t count = piece.last_row - piece.first_row;
    const std::size_t at = slot * width_ + piece.first_row;
    const auto gate = gate_.first(at + count).subspan(at);
    const auto up = up_.first(at + count).subspan(at);
    const GatedMlpWeights& expert = *piece.group->expert;
    if (!expert.gate_bias.empty()) {
        kernels::add(std::span(expert.gate_bias).subspan(piece.first_row, count), gate);
        kernels::add(std::span(expert.up_bias).subspan(piece.first_row, count), up);
    }
    if (config.activation == ExpertActivation::Silu) {
        kernels::silu_mul(gate, up, gate);
    } else {
        kernels::clamped_silu_mul(
            gate, up,
            {.alpha = static_cast<float>(config.alpha), .limit = static_cast<float>(config.limit)},
            gate);
    }
}

void FeedForward::gate_and_up(const Compute& compute, const Activations& x,
                              const ExpertConfig& config) {
    const std::size_t num_slots = slot_token_.size();
    width_ = groups_.front().expert->gate.view().rows;
    const auto gate = gate_.take(num_slots * width_);
    const auto up = up_.take(num_slots * width_);
    for (const Group& group : constants_) {  // down() takes all slots together
        const std::size_t count = group.last_slot - group.first_slot;
        const auto unused = gate.subspan(group.first_slot * width_, count * width_);
        std::fill(unused.begin(), unused.end(), 0.0F);
    }
    cut_into_pieces(compute, width_);
    compute.pool.parallel_for(pieces_.size(), 1, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
            throw_if_stopped(compute.stop);
            const Piece& piece = pieces_[i];
            const Group& group = *piece.group;
            const std::size_t count = group.last_slot - group.first_slot;
            const auto picked = std::span(slot_token_).subspan(group.first_slot, count);
            const kernels::RowRange rows{piece.first_row, piece.last_row};
            const std::size_t offset = group.first_slot * width_;
            x.multiply(group.expert->gate.view(), rows, picked,
                       {.values = gate.subspan(offset, count * width_), .stride = width_});
            x.multiply(group.expert->up.view(), rows, picked,
                       {.values = up.subspan(offset, count * width_), .stride = width_});
            for (std::size_t s = group.first_slot; s < group.last_slot; ++s) {
                activate(piece, config, s);
            }
        }
    });
}

void FeedForward::down(const Compute& compute, std::span<float> slots_out) {
    const std::size_t num_slots = slot_token_.size();
    const std::size_t hidden = slots_out.size() / num_slots;
    inner_.assign(compute, gate_.first(num_slots * width_), width_);
    // Slots are the rows of inner_: each group takes its own, in order.
    slot_rows_.resize(num_slots);
    for (std::size_t s = 0; s < num_slots; ++s) slot_rows_[s] = static_cast<std::int32_t>(s);
    cut_into_pieces(compute, hidden);
    compute.pool.parallel_for(pieces_.size(), 1, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
            throw_if_stopped(compute.stop);
            const Piece& piece = pieces_[i];
            const Group& group = *piece.group;
            const std::size_t count = group.last_slot - group.first_slot;
            const auto out = slots_out.subspan(group.first_slot * hidden, count * hidden);
            inner_.multiply(group.expert->down.view(), {piece.first_row, piece.last_row},
                            std::span(slot_rows_).subspan(group.first_slot, count),
                            {.values = out, .stride = hidden});
            if (group.expert->down_bias.empty()) continue;
            const std::size_t rows = piece.last_row - piece.first_row;
            const auto bias = std::span(group.expert->down_bias).subspan(piece.first_row, rows);
            for (std::size_t s = 0; s < count; ++s) {
                kernels::add(bias, out.subspan(s * hidden + piece.first_row, rows));
            }
        }
    });
}

void FeedForward::fill_constants(std::span<float> slots_out) const {
    for (const Group& group : constants_) {
        const std::vector<float>& constant = group.expert->constant;
        for (std::size_t s = group.first_slot; s < group.last_slot; ++s) {
            std::copy(constant.begin(), constant.end(),
                      slots_out.begin() + static_cast<std::ptrdiff_t>(s * constant.size()));
        }
    }
}

void FeedForward::combine(const Compute& compute, const Routing& routing, std::span<float> out) {
    const std::size_t num_slots = token_slot_.size();
    const std::size_t hidden = out.size() / num_tokens_;
    const std::size_t top_k = num_slots / num_tokens_;
    const auto slots = slot_out_.first(num_slots * hidden);
    compute.pool.parallel_for(num_tokens_, kCombineTokens, [&](std::size_t begin, std::size_t end) {
        for (std::size_t t = begin; t < end; ++t) {
            const auto row = out.subspan(t * hidden, hidden);
            std::fill(row.begin(), row.end(), 0.0F);
            for (std::size_t j = t * top_k; j < (t + 1) * top_k; ++j) {
                const auto slot = static_cast<std::size_t>(token_slot_[j]);
                kernels::add_scaled(routing.weights[j], slots.subspan(slot * hidden, hidden), row);
            }
        }
    });
}

void FeedForward::run_mlp(const Compute& compute, GatedMlpWeights& mlp, const Activations& x,
                          const ExpertConfig& config, std::span<float> out) {
    groups_.assign(1, {&mlp, 0, slot_token_.size()});
    constants_.clear();
    prepare_experts(compute);
    gate_and_up(compute, x, config);
    down(compute, out);
}

void FeedForward::run_single(const Compute& compute, GatedMlpWeights& mlp, const Activations& x,
                             std::span<float> out) {
    slot_token_.resize(num_tokens_);
    std::iota(slot_token_.begin(), slot_token_.end(), 0);
    run_mlp(compute, mlp, x, {}, out);
}

ExpertRows FeedForward::run_expert(const Compute& compute, LayerWeights& weights,
                                   std::int64_t expert, const Activations& x) {
    GatedMlpWeights& mlp = weights.experts[static_cast<std::size_t>(expert)];
    const std::size_t num_slots = slot_token_.size();
    const std::size_t hidden = x.values().size() / num_tokens_;
    const auto out = slot_out_.take(num_slots * hidden);
    ExpertRows rows{.expert = expert,
                    .tokens = slot_token_,
                    .weights = {},
                    .input = x.values(),
                    .activation = {},
                    .output = out};
    if (mlp.is_constant()) {
        groups_.clear();
        constants_.assign(1, {&mlp, 0, num_slots});
        fill_constants(out);
        return rows;
    }
    run_mlp(compute, mlp, x, experts_, out);
    rows.activation = gate_.first(num_slots * width_);
    return rows;
}

void FeedForward::run_in_turn(const Compute& compute, LayerWeights& weights, const Activations& x,
                              const Routing& routing, std::span<float> out,
                              ForwardObserver& observer) {
    const std::size_t hidden = out.size() / num_tokens_;
    const std::size_t top_k = routing.selected.size() / num_tokens_;
    std::vector<std::vector<std::size_t>> places(weights.experts.size());  // in `selected`
    for (std::size_t i = 0; i < routing.selected.size(); ++i) {
        places[static_cast<std::size_t>(routing.selected[i])].push_back(i);
    }
    std::vector<std::vector<std::int32_t>> extra(weights.experts.size());
    for (std::size_t t = 0; const std::int64_t expert : observer.extra_experts()) {
        if (expert >= 0)
            extra[static_cast<std::size_t>(expert)].push_back(static_cast<std::int32_t>(t));
        ++t;
    }
    std::vector<float> gates;
    std::fill(out.begin(), out.end(), 0.0F);
    for (std::size_t e = 0; e < weights.experts.size(); ++e) {
        if (!extra[e].empty()) {
            slot_token_ = extra[e];
            observer.on_extra_expert(run_expert(compute, weights, static_cast<std::int64_t>(e), x));
        }
        if (!places[e].empty()) {
            slot_token_.clear();
            gates.clear();
            for (const std::size_t i : places[e]) {
                slot_token_.push_back(static_cast<std::int32_t>(i / top_k));
                gates.push_back(routing.weights[i]);
            }
            ExpertRows rows = run_expert(compute, weights, static_cast<std::int64_t>(e), x);
            rows.weights = gates;
            observer.on_expert(rows);
            for (std::size_t i = 0; i < gates.size(); ++i) {
                kernels::add_scaled(
                    gates[i], rows.output.subspan(i * hidden, hidden),
                    out.subspan(static_cast<std::size_t>(slot_token_[i]) * hidden, hidden));
            }
        }
        if (!compute.keeps_experts) weights.experts[e].release();
    }
}

void FeedForward::add_shared(const Compute& compute, LayerWeights& weights, const Activations& x,
                             std::span<float> out, ForwardObserver* observer) {
    const auto shared = slot_out_.take(out.size());
    run_single(compute, weights.shared, x, shared);
    if (observer != nullptr) {
        observer->on_input(kSharedInputs, x.values(), num_tokens_);
        observer->on_input(kSharedInner, inner_.values(), num_tokens_);
        if (!weights.shared_score.is_empty()) {
            observer->on_input(kSharedScore, x.values(), num_tokens_);
        }
    }
    if (weights.shared_score.is_empty()) {
        kernels::add(shared, out);
        return;
    }
    const auto scores = scores_.take(num_tokens_);
    linear({compute.pool, Arithmetic::Float32, compute.stop}, weights.shared_score.view(), x,
           scores);
    const std::size_t hidden = out.size() / num_tokens_;
    for (std::size_t t = 0; t < num_tokens_; ++t) {
        const float weight = 1.0F / (1.0F + std::exp(-scores[t]));
        kernels::add_scaled(weight, shared.subspan(t * hidden, hidden),
                            out.subspan(t * hidden, hidden));
    }
}

void FeedForward::forward_experts(const Compute& compute, LayerWeights& weights,
                                  const Activations& x, const Routing& routing,
                                  std::span<float> out, ForwardObserver* observer) {
    num_tokens_ = x.num_rows();
    if (observer != nullptr) {
        observer->on_input(kRouter, x.values(), num_tokens_);
        run_in_turn(compute, weights, x, routing, out, *observer);
        return;
    }
    group_by_expert(weights, routing);
    prepare_experts(compute);
    const auto slots_out = slot_out_.take(slot_token_.size() * (out.size() / num_tokens_));
    if (!groups_.empty()) {
        gate_and_up(compute, x, experts_);
        down(compute, slots_out);
    }
    fill_constants(slots_out);
    combine(compute, routing, out);
}

void FeedForward::forward_dense(const Compute& compute, LayerWeights& weights, const Activations& x,
                                std::span<float> out, ForwardObserver* observer) {
    num_tokens_ = x.num_rows();
    run_single(compute, weights.experts.front(), x, out);
    if (observer == nullptr) return;
    observer->on_input(kDenseInputs, x.values(), num_tokens_);
    observer->on_input(kDenseInner, inner_.values(), num_tokens_);
}

}  // namespace espalier
