#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>

#include "base/thread_pool.h"
#include "infer/compute.h"
#include "infer/kv_cache.h"
#include "model/expert_mask.h"
#include "model/forward_observer.h"
#include "model/model_source.h"

namespace espalier {

class Transformer;

/// Which rows of a batch need logits: generation wants the last, scoring all.
enum class LogitsFor { LastToken, AllTokens };

/// A model executed by Espalier's own kernels on mapped weights, from a hub folder or a GGUF file.
/// No libtorch. Results do not depend on the number of threads, nor, in float32, on how a sequence
/// is cut into calls; those of latent attention differ by rounding between long and short calls.
class NativeModel {
public:
    /// Keeps `source` and `pool` by reference: both must outlive it.
    /// @throws Error ArchConfig or FileUnsupported if a part of the model has no native form
    NativeModel(const ModelSource& source, ThreadPool& pool);
    ~NativeModel();

    const MoeConfig& config() const noexcept;
    const ModelSource& source() const noexcept;
    ThreadPool& pool() noexcept;
    /// The model runs as if those experts were gone. @throws Error RunRecipe if fewer than top_k
    /// remain
    void set_mask(ExpertMask mask);
    /// Float32 unless set: generation asks for integers, traces and scores do not.
    void set_arithmetic(Arithmetic arithmetic) noexcept;
    Arithmetic arithmetic() const noexcept;
    /// Changes whenever the same tokens would give other keys and values than before.
    std::uint64_t revision() const noexcept;

    /// Appends `tokens` to the cache (in batches, or one at a time) and returns logits: [vocab] or
    /// [tokens, vocab], valid until the next call. An observer sees each batch of tokens from the
    /// first layer to the last; after the last layer, only rows that need logits. On a stop request
    /// or an error the cache is as KvCache::truncate() to its old length leaves it: as it was, but
    /// perhaps shorter in a model with recurrent layers.
    /// @throws Error DataLine for an id outside the vocabulary or no tokens, RunStage if the cache
    /// is full
    std::span<const float> forward(std::span<const std::int32_t> tokens, KvCache& cache,
                                   LogitsFor logits = LogitsFor::LastToken,
                                   ForwardObserver* observer = nullptr, std::stop_token stop = {});

    /// The steps of forward(), for other orders of execution.
    Transformer& transformer() noexcept;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace espalier
