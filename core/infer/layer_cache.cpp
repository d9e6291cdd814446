#include "infer/layer_cache.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace espalier {
namespace {

constexpr std::size_t kSmallestCapacity = 64;

/// Copies `rows` rows of `used` floats between buffers of different row length.
void copy_rows(const Buffer<float>& from, std::size_t from_stride, Buffer<float>& to,
               std::size_t to_stride, std::size_t rows, std::size_t used) {
    for (std::size_t r = 0; r < rows; ++r) {
        std::copy_n(from.data() + r * from_stride, used, to.data() + r * to_stride);
    }
}

/// Numbers that a recurrent layer carries from token to token.
std::int64_t state_size(const MoeConfig& config, MixerKind kind) {
    if (kind == MixerKind::ShortConvolution) {
        return (config.short_convolution.kernel - 1) * config.hidden_size;
    }
    const DeltaNetConfig& delta = config.delta_net;
    return (delta.kernel - 1) * delta.channels() +
           delta.num_value_heads * delta.key_dim * delta.value_dim;
}

}  // namespace

KeyValueCache::KeyValueCache(std::int64_t num_kv_heads, std::int64_t head_dim)
    : num_heads_(static_cast<std::size_t>(num_kv_heads)),
      head_dim_(static_cast<std::size_t>(head_dim)) {}

void KeyValueCache::reserve(std::size_t num_tokens) {
    if (num_tokens <= capacity_) return;
    const std::size_t capacity = std::max({num_tokens, capacity_ * 2, kSmallestCapacity});
    Buffer<float> keys(num_heads_ * capacity * head_dim_);
    Buffer<float> values(num_heads_ * capacity * head_dim_);
    copy_rows(keys_, capacity_ * head_dim_, keys, capacity * head_dim_, num_heads_,
              capacity_ * head_dim_);
    copy_rows(values_, capacity_, values, capacity, num_heads_ * head_dim_, capacity_);
    keys_ = std::move(keys);
    values_ = std::move(values);
    capacity_ = capacity;
}

void KeyValueCache::write(std::size_t first, std::span<const float> keys,
                          std::span<const float> values) {
    const std::size_t row = num_heads_ * head_dim_;
    const std::size_t num_tokens = keys.size() / row;
    reserve(first + num_tokens);
    for (std::size_t t = 0; t < num_tokens; ++t) {
        for (std::size_t h = 0; h < num_heads_; ++h) {
            const std::size_t from = t * row + h * head_dim_;
            std::copy_n(keys.data() + from, head_dim_,
                        keys_.data() + (h * capacity_ + first + t) * head_dim_);
            float* column = values_.data() + h * head_dim_ * capacity_ + first + t;
            for (std::size_t d = 0; d < head_dim_; ++d) column[d * capacity_] = values[from + d];
        }
    }
}

kernels::MatrixView KeyValueCache::keys(std::size_t head, std::size_t first,
                                        std::size_t last) const {
    const std::size_t begin = (head * capacity_ + first) * head_dim_;
    return kernels::float_matrix(keys_.span().subspan(begin, (last - first) * head_dim_),
                                 last - first, head_dim_, head_dim_);
}

kernels::MatrixView KeyValueCache::values(std::size_t head, std::size_t first,
                                          std::size_t last) const {
    const std::size_t begin = head * head_dim_ * capacity_ + first;
    const std::size_t size = (head_dim_ - 1) * capacity_ + last - first;
    return kernels::float_matrix(values_.span().subspan(begin, size), head_dim_, last - first,
                                 capacity_);
}

std::uint64_t KeyValueCache::bytes() const noexcept {
    return (keys_.size() + values_.size()) * sizeof(float);
}

void LatentCache::write(std::size_t first, std::span<const float> rows) {
    const std::size_t begin = first * width_;
    if (begin + rows.size() > rows_.size()) {
        Buffer<float> larger(
            std::max({begin + rows.size(), rows_.size() * 2, kSmallestCapacity * width_}));
        std::copy_n(rows_.data(), rows_.size(), larger.data());
        rows_ = std::move(larger);
    }
    std::copy(rows.begin(), rows.end(), rows_.data() + begin);
}

std::span<float> RecurrentState::advance(std::int64_t position, std::size_t num_tokens) {
    if (position == 0) restore(0, {});
    assert(position == position_);
    position_ += static_cast<std::int64_t>(num_tokens);
    return values_;
}

void RecurrentState::restore(std::int64_t position, std::span<const float> values) {
    position_ = position;
    if (values.empty()) {
        std::fill(values_.begin(), values_.end(), 0.0F);
    } else {
        std::copy(values.begin(), values.end(), values_.begin());
    }
}

LayerCache make_layer_cache(const MoeConfig& config, std::size_t layer) {
    const AttentionConfig& attention = config.attention;
    const MixerKind kind = config.layers.at(layer).mixer;
    switch (kind) {
        case MixerKind::LatentAttention:
            return LatentCache(attention.latent.rank, attention.latent.rope_dim);
        case MixerKind::DeltaNet:
        case MixerKind::ShortConvolution:
            return RecurrentState(state_size(config, kind));
        case MixerKind::FullAttention:
        case MixerKind::SlidingAttention:
            break;
    }
    return KeyValueCache(attention.num_kv_heads, attention.head_dim);
}

std::uint64_t cache_bytes(const LayerCache& cache) noexcept {
    return std::visit([](const auto& layer) { return layer.bytes(); }, cache);
}

}  // namespace espalier
