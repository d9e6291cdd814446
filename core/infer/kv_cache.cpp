#include "infer/kv_cache.h"

#include <algorithm>
#include <utility>

namespace espalier {
namespace {

constexpr std::size_t kMaxMarks = 4;

}  // namespace

KvCache::KvCache(const MoeConfig& config, std::int64_t max_tokens) : max_tokens_(max_tokens) {
    layers_.reserve(config.layers.size());
    for (std::size_t i = 0; i < config.layers.size(); ++i) {
        layers_.push_back(make_layer_cache(config, i));
        if (std::holds_alternative<RecurrentState>(layers_.back())) has_recurrent_layers_ = true;
    }
}

std::uint64_t KvCache::bytes() const noexcept {
    std::uint64_t total = 0;
    for (const LayerCache& layer : layers_) total += cache_bytes(layer);
    for (const Mark& mark : marks_) {
        for (const auto& state : mark.states) total += state.size() * sizeof(float);
    }
    return total;
}

std::int64_t KvCache::truncate(std::int64_t num_tokens) {
    num_tokens_ = std::clamp<std::int64_t>(num_tokens, 0, num_tokens_);
    // A pass that was broken off has left some layers further than num_tokens_.
    const bool is_there = std::all_of(layers_.begin(), layers_.end(), [&](const LayerCache& layer) {
        const auto* state = std::get_if<RecurrentState>(&layer);
        return state == nullptr || state->position() == num_tokens_;
    });
    while (!marks_.empty() && marks_.back().num_tokens > num_tokens_) marks_.pop_back();
    if (!is_there) restore(marks_.empty() ? Mark() : marks_.back());
    return num_tokens_;
}

void KvCache::restore(const Mark& mark) {
    num_tokens_ = mark.num_tokens;
    std::size_t next = 0;
    for (LayerCache& layer : layers_) {
        auto* state = std::get_if<RecurrentState>(&layer);
        if (state == nullptr) continue;
        if (mark.states.empty()) {
            state->restore(0, {});
        } else {
            state->restore(mark.num_tokens, mark.states[next++]);
        }
    }
}

void KvCache::mark() {
    if (!has_recurrent_layers_ || num_tokens_ == 0) return;
    if (!marks_.empty() && marks_.back().num_tokens == num_tokens_) return;
    Mark mark{.num_tokens = num_tokens_, .states = {}};
    for (const LayerCache& layer : layers_) {
        const auto* state = std::get_if<RecurrentState>(&layer);
        if (state == nullptr) continue;
        mark.states.emplace_back(state->values().begin(), state->values().end());
    }
    if (marks_.size() == kMaxMarks) marks_.erase(marks_.begin());
    marks_.push_back(std::move(mark));
}

}  // namespace espalier
