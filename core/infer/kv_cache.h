#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/matrix_view.h"
#include "model/moe_config.h"
#include "tensor/buffer.h"

namespace espalier {

/// Keys and values of one layer for the tokens of one sequence, laid out for the two products of
/// attention: a key/value head's keys are rows [tokens, head_dim], its values columns [head_dim,
/// tokens].
class LayerCache {
public:
    LayerCache(std::int64_t num_kv_heads, std::int64_t head_dim);

    /// Makes room for `num_tokens`; what is there stays.
    void reserve(std::size_t num_tokens);
    /// Writes keys and values, [tokens, num_kv_heads, head_dim] each, from position `first` on.
    void write(std::size_t first, std::span<const float> keys, std::span<const float> values);

    /// [last - first, head_dim]
    kernels::MatrixView keys(std::size_t head, std::size_t first, std::size_t last) const;
    /// [head_dim, last - first]
    kernels::MatrixView values(std::size_t head, std::size_t first, std::size_t last) const;
    std::uint64_t bytes() const noexcept;

private:
    std::size_t num_heads_;
    std::size_t head_dim_;
    std::size_t capacity_ = 0;  ///< tokens
    Buffer<float> keys_;        ///< [head, token, dim]
    Buffer<float> values_;      ///< [head, dim, token]
};

/// Keys and values of one sequence, float32, grown as needed.
class KvCache {
public:
    /// @param max_tokens refuses to grow beyond; 0: no limit
    explicit KvCache(const MoeConfig& config, std::int64_t max_tokens = 0);

    std::int64_t num_tokens() const noexcept { return num_tokens_; }
    std::int64_t max_tokens() const noexcept { return max_tokens_; }
    std::uint64_t bytes() const noexcept;
    /// Forgets everything after the first `num_tokens`.
    void truncate(std::int64_t num_tokens);

    LayerCache& layer(std::size_t index) { return layers_.at(index); }
    /// Counts `tokens` more, once every layer has written them.
    void advance(std::int64_t tokens) noexcept { num_tokens_ += tokens; }

private:
    std::int64_t num_tokens_ = 0;
    std::int64_t max_tokens_ = 0;
    std::vector<LayerCache> layers_;
};

}  // namespace espalier
