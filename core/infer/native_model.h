#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <vector>

#include "base/thread_pool.h"
#include "model/expert_mask.h"
#include "model/forward_observer.h"
#include "model/model_source.h"

namespace espalier {

/// Keys and values of one sequence, float32, grown as needed.
class KvCache {
public:
    explicit KvCache(const MoeConfig& config, std::int64_t max_tokens = 0);
    ~KvCache();
    KvCache(KvCache&&) noexcept;
    KvCache& operator=(KvCache&&) noexcept;

    std::int64_t num_tokens() const noexcept;
    std::uint64_t bytes() const noexcept;
    /// Forgets everything after the first `num_tokens`.
    void truncate(std::int64_t num_tokens);

private:
    friend class NativeModel;
    struct State;
    std::unique_ptr<State> state_;
};

/// Which rows of a batch need logits: generation wants the last, scoring all.
enum class LogitsFor { LastToken, AllTokens };

/// A model executed by Espalier's own kernels on mapped weights, from a hub folder or a GGUF file. No
/// libtorch. Results do not depend on the number of threads.
class NativeModel {
public:
    /// Keeps `source` and `pool` by reference: both must outlive it.
    /// @throws Error ArchUnknown if a part of the config has no native form
    NativeModel(const ModelSource& source, ThreadPool& pool);
    ~NativeModel();

    const MoeConfig& config() const noexcept;
    /// The model runs as if those experts were gone. @throws Error RunRecipe if fewer than top_k remain
    void set_mask(ExpertMask mask);

    /// Appends `tokens` to the cache (prefill in batches, or one at a time) and returns logits:
    /// [vocab] or [tokens, vocab].
    std::span<const float> forward(std::span<const std::int32_t> tokens, KvCache& cache,
                                   LogitsFor logits = LogitsFor::LastToken,
                                   ForwardObserver* observer = nullptr, std::stop_token stop = {});

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace espalier
