#include "infer/kv_cache.h"

#include <algorithm>
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

}  // namespace

LayerCache::LayerCache(std::int64_t num_kv_heads, std::int64_t head_dim)
    : num_heads_(static_cast<std::size_t>(num_kv_heads)),
      head_dim_(static_cast<std::size_t>(head_dim)) {}

void LayerCache::reserve(std::size_t num_tokens) {
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

void LayerCache::write(std::size_t first, std::span<const float> keys,
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

kernels::MatrixView LayerCache::keys(std::size_t head, std::size_t first, std::size_t last) const {
    const std::size_t begin = (head * capacity_ + first) * head_dim_;
    return kernels::float_matrix(keys_.span().subspan(begin, (last - first) * head_dim_),
                                 last - first, head_dim_, head_dim_);
}

kernels::MatrixView LayerCache::values(std::size_t head, std::size_t first,
                                       std::size_t last) const {
    const std::size_t begin = head * head_dim_ * capacity_ + first;
    const std::size_t size = (head_dim_ - 1) * capacity_ + last - first;
    return kernels::float_matrix(values_.span().subspan(begin, size), head_dim_, last - first,
                                 capacity_);
}

std::uint64_t LayerCache::bytes() const noexcept {
    return (keys_.size() + values_.size()) * sizeof(float);
}

KvCache::KvCache(const MoeConfig& config, std::int64_t max_tokens) : max_tokens_(max_tokens) {
    layers_.reserve(config.layers.size());
    for (std::size_t i = 0; i < config.layers.size(); ++i) {
        layers_.emplace_back(config.attention.num_kv_heads, config.attention.head_dim);
    }
}

std::uint64_t KvCache::bytes() const noexcept {
    std::uint64_t total = 0;
    for (const LayerCache& layer : layers_) total += layer.bytes();
    return total;
}

void KvCache::truncate(std::int64_t num_tokens) {
    num_tokens_ = std::clamp<std::int64_t>(num_tokens, 0, num_tokens_);
}

}  // namespace espalier
