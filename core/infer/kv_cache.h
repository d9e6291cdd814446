#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "infer/layer_cache.h"
#include "model/moe_config.h"

namespace espalier {

/// What a model keeps of one sequence, layer by layer: keys and values, compressed rows, or the
/// state of a recurrent layer.
///
/// Rows of past tokens can be cut anywhere. A recurrent layer (DeltaNet, short convolution) has
/// only the state after its last token: a model with such layers goes back to where mark() was
/// called.
class KvCache {
public:
    /// @param max_tokens refuses to grow beyond; 0: no limit
    explicit KvCache(const MoeConfig& config, std::int64_t max_tokens = 0);

    std::int64_t num_tokens() const noexcept { return num_tokens_; }
    std::int64_t max_tokens() const noexcept { return max_tokens_; }
    std::uint64_t bytes() const noexcept;  ///< marks included
    bool has_recurrent_layers() const noexcept { return has_recurrent_layers_; }

    /// Forgets what comes after the first `num_tokens` tokens and returns how many are left. Fewer
    /// than asked for only in a model with recurrent layers: those up to the last mark at or before
    /// `num_tokens`, none if there is no such mark. The caller computes the missing ones again.
    std::int64_t truncate(std::int64_t num_tokens);
    /// Remembers the recurrent layers' states as they are after num_tokens(), so that truncate()
    /// can come back here. Call it before tokens that may have to be taken back: those of a draft,
    /// or an answer that may be asked for again. Costs a copy of the states (2 MB a layer of
    /// Qwen3-Next); the last four marks are kept. Does nothing in a model without recurrent layers.
    void mark();

    LayerCache& layer(std::size_t index) { return layers_.at(index); }
    /// Counts `tokens` more, once every layer has written them.
    void advance(std::int64_t tokens) noexcept { num_tokens_ += tokens; }

private:
    struct Mark {
        std::int64_t num_tokens = 0;
        std::vector<std::vector<float>> states;  ///< of the recurrent layers, in order
    };
    void restore(const Mark& mark);

    std::int64_t num_tokens_ = 0;
    std::int64_t max_tokens_ = 0;
    bool has_recurrent_layers_ = false;
    std::vector<LayerCache> layers_;
    std::vector<Mark> marks_;  ///< num_tokens ascending
};

}  // namespace espalier
