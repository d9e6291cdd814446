#include "infer/feed_forward.h"

#include <algorithm>

#include "base/cancel.h"
#include "kernels/vector_ops.h"

namespace espalier {
namespace {

/// Weight rows in a piece of work: whole kernel tiles, several for the few vectors of generation.
constexpr std::size_t kPieceRows = 16;
constexpr std::size_t kPieceRowsOfOne = 64;
constexpr std::size_t kCombineTokens = 16;

}  // namespace

void FeedForward::group_by_expert(const LayerWeights& weights, const Routing& routing) {
    const std::size_t num_slots = routing.selected.size();
    std::vector<std::size_t> next(weights.experts.size() + 1, 0);
    for (const std::int32_t expert : routing.selected) ++next[static_cast<std::size_t>(expert) + 1];
    groups_.clear();
    for (std::size_t e = 0; e < weights.experts.size(); ++e) {
        next[e + 1] += next[e];
        if (next[e + 1] > next[e]) groups_.push_back({&weights.experts[e], next[e], next[e + 1]});
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

void FeedForward::cut_into_pieces(std::size_t num_rows) {
    pieces_.clear();
    for (const Group& group : groups_) {
        const std::size_t step =
            group.last_slot - group.first_slot == 1 ? kPieceRowsOfOne : kPieceRows;
        for (std::size_t row = 0; row < num_rows; row += step) {
            pieces_.push_back({&group, row, std::min(row + step, num_rows)});
        }
    }
}

void FeedForward::gate_and_up(const Compute& compute, const Activations& x, std::size_t width) {
    const std::size_t num_slots = slot_token_.size();
    const auto gate = gate_.take(num_slots * width);
    const auto up = up_.take(num_slots * width);
    cut_into_pieces(width);
    compute.pool.parallel_for(pieces_.size(), 1, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
            throw_if_stopped(compute.stop);
            const Piece& piece = pieces_[i];
            const Group& group = *piece.group;
            const std::size_t count = group.last_slot - group.first_slot;
            const auto picked = std::span(slot_token_).subspan(group.first_slot, count);
            const kernels::RowRange rows{piece.first_row, piece.last_row};
            const std::size_t offset = group.first_slot * width;
            x.multiply(group.expert->gate.view(), rows, picked,
                       {.values = gate.subspan(offset, count * width), .stride = width});
            x.multiply(group.expert->up.view(), rows, picked,
                       {.values = up.subspan(offset, count * width), .stride = width});
            for (std::size_t s = group.first_slot; s < group.last_slot; ++s) {
                const std::size_t at = s * width + rows.first;
                const std::size_t n = rows.last - rows.first;
                kernels::silu_mul(gate.subspan(at, n), up.subspan(at, n), gate.subspan(at, n));
            }
        }
    });
}

void FeedForward::down(const Compute& compute, std::size_t width, std::span<float> slots_out) {
    const std::size_t num_slots = slot_token_.size();
    const std::size_t hidden = slots_out.size() / num_slots;
    inner_.assign(compute, gate_.first(num_slots * width), width);
    // Slots are the rows of inner_: each group takes its own, in order.
    slot_rows_.resize(num_slots);
    for (std::size_t s = 0; s < num_slots; ++s) slot_rows_[s] = static_cast<std::int32_t>(s);
    cut_into_pieces(hidden);
    compute.pool.parallel_for(pieces_.size(), 1, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
            throw_if_stopped(compute.stop);
            const Piece& piece = pieces_[i];
            const Group& group = *piece.group;
            const std::size_t count = group.last_slot - group.first_slot;
            inner_.multiply(group.expert->down.view(), {piece.first_row, piece.last_row},
                            std::span(slot_rows_).subspan(group.first_slot, count),
                            {.values = slots_out.subspan(group.first_slot * hidden, count * hidden),
                             .stride = hidden});
        }
    });
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

void FeedForward::forward_routed(const Compute& compute, const LayerWeights& weights,
                                 const Activations& x, const Routing& routing,
                                 std::span<float> out) {
    num_tokens_ = x.num_rows();
    group_by_expert(weights, routing);
    const std::size_t width = weights.experts.front().gate.view().rows;
    gate_and_up(compute, x, width);
    const auto slots = slot_out_.take(slot_token_.size() * (out.size() / num_tokens_));
    down(compute, width, slots);
    combine(compute, routing, out);
}

void FeedForward::forward_dense(const Compute& compute, const LayerWeights& weights,
                                const Activations& x, std::span<float> out) {
    num_tokens_ = x.num_rows();
    slot_token_.resize(num_tokens_);
    for (std::size_t t = 0; t < num_tokens_; ++t) slot_token_[t] = static_cast<std::int32_t>(t);
    groups_.assign(1, {&weights.experts.front(), 0, num_tokens_});
    const std::size_t width = weights.experts.front().gate.view().rows;
    gate_and_up(compute, x, width);
    down(compute, width, out);
}

}  // namespace espalier
