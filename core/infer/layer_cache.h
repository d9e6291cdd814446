#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "kernels/matrix_view.h"
#include "model/moe_config.h"
#include "tensor/buffer.h"

namespace espalier {

/// Keys and values of one attention layer for the tokens of one sequence, laid out for the two
/// products of attention: a key/value head's keys are rows [tokens, head_dim], its values columns
/// [head_dim, tokens]. float32, grown as needed.
class KeyValueCache {
public:
    KeyValueCache(std::int64_t num_kv_heads, std::int64_t head_dim);

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

/// The compressed rows of a layer of MLA: a token's normalised latent row, then its rotated key,
/// which all heads share. float32, grown as needed.
class LatentCache {
public:
    LatentCache(std::int64_t rank, std::int64_t rope_dim)
        : width_(static_cast<std::size_t>(rank + rope_dim)) {}

    /// Writes rows [tokens, rank + rope_dim] from position `first` on.
    void write(std::size_t first, std::span<const float> rows);
    /// All rows before `last`, [last, rank + rope_dim].
    std::span<const float> rows(std::size_t last) const noexcept {
        return rows_.span().first(last * width_);
    }
    std::uint64_t bytes() const noexcept { return rows_.size() * sizeof(float); }

private:
    std::size_t width_;
    Buffer<float> rows_;
};

/// What a recurrent layer knows of all tokens before a position: a few numbers, float32, which are
/// written over with every token.
class RecurrentState {
public:
    explicit RecurrentState(std::int64_t size) : values_(static_cast<std::size_t>(size)) {}

    /// The numbers after `position` tokens, for a layer that is about to add `num_tokens` more; all
    /// zero at the start.
    std::span<float> advance(std::int64_t position, std::size_t num_tokens);
    /// Tokens seen.
    std::int64_t position() const noexcept { return position_; }
    std::span<const float> values() const noexcept { return values_; }
    /// Goes to what values() was after `position` tokens; empty values: to the start.
    void restore(std::int64_t position, std::span<const float> values);
    std::uint64_t bytes() const noexcept { return values_.size() * sizeof(float); }

private:
    std::int64_t position_ = 0;
    std::vector<float> values_;
};

/// What one layer keeps of the tokens it has seen.
using LayerCache = std::variant<KeyValueCache, LatentCache, RecurrentState>;

/// An empty one, of the kind that layer `layer` needs.
LayerCache make_layer_cache(const MoeConfig& config, std::size_t layer);

std::uint64_t cache_bytes(const LayerCache& cache) noexcept;

}  // namespace espalier
