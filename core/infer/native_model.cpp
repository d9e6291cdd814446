#include "infer/native_model.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "base/cancel.h"
#include "base/error.h"
#include "infer/scratch.h"
#include "infer/transformer.h"

namespace espalier {
namespace {

/// Tokens that go through the layers together: enough for each expert to serve many, few enough for
/// their activations to stay small.
constexpr std::size_t kBatchTokens = 512;

}  // namespace

struct NativeModel::State {
    Transformer transformer;
    ThreadPool& pool;
    Arithmetic arithmetic = Arithmetic::Float32;
    std::uint64_t num_masks = 0;  // set so far
    Scratch<float> hidden;
    Scratch<float> logits;

    State(const ModelSource& source, ThreadPool& workers) : transformer(source), pool(workers) {}

    /// Runs one batch through all layers; leaves its hidden states in `hidden`.
    std::span<float> run_layers(const Compute& compute, std::span<const std::int32_t> tokens,
                                KvCache& cache, ForwardObserver* observer) {
        const auto width = static_cast<std::size_t>(transformer.config().hidden_size);
        const auto rows = hidden.take(tokens.size() * width);
        transformer.embed(tokens, rows);
        const std::size_t num_layers = transformer.config().layers.size();
        for (std::size_t layer = 0; layer < num_layers; ++layer) {
            transformer.run_layer(compute, layer, rows, cache.layer(layer), cache.num_tokens(),
                                  observer);
        }
        cache.advance(static_cast<std::int64_t>(tokens.size()));
        return rows;
    }
};

NativeModel::NativeModel(const ModelSource& source, ThreadPool& pool)
    : state_(std::make_unique<State>(source, pool)) {}

NativeModel::~NativeModel() = default;

const MoeConfig& NativeModel::config() const noexcept { return state_->transformer.config(); }
const ModelSource& NativeModel::source() const noexcept { return state_->transformer.source(); }
ThreadPool& NativeModel::pool() noexcept { return state_->pool; }
Transformer& NativeModel::transformer() noexcept { return state_->transformer; }

void NativeModel::set_mask(ExpertMask mask) {
    state_->transformer.set_mask(std::move(mask));
    ++state_->num_masks;
}

std::uint64_t NativeModel::revision() const noexcept {
    return 2 * state_->num_masks + (state_->arithmetic == Arithmetic::Integer16 ? 1 : 0);
}

void NativeModel::set_arithmetic(Arithmetic arithmetic) noexcept {
    state_->arithmetic = arithmetic;
}

Arithmetic NativeModel::arithmetic() const noexcept { return state_->arithmetic; }

namespace {

void check_room(std::span<const std::int32_t> tokens, const KvCache& cache) {
    if (tokens.empty()) {
        throw Error(ErrorCode::DataLine, "There are no tokens to compute.",
                    "Give at least one token.");
    }
    const auto wanted = cache.num_tokens() + static_cast<std::int64_t>(tokens.size());
    if (cache.max_tokens() != 0 && wanted > cache.max_tokens()) {
        throw Error(ErrorCode::RunStage,
                    fmt::format("The sequence would have {} tokens, there is room for {}.", wanted,
                                cache.max_tokens()),
                    "Shorten the text or allow a longer context.");
    }
}

}  // namespace

std::span<const float> NativeModel::forward(std::span<const std::int32_t> tokens, KvCache& cache,
                                            LogitsFor logits, ForwardObserver* observer,
                                            std::stop_token stop) {
    check_room(tokens, cache);
    const std::int64_t before = cache.num_tokens();
    const Compute compute{state_->pool, state_->arithmetic, std::move(stop)};
    const auto width = static_cast<std::size_t>(config().hidden_size);
    const auto vocab = static_cast<std::size_t>(config().vocab_size);
    const bool all = logits == LogitsFor::AllTokens;
    const auto out = state_->logits.take((all ? tokens.size() : 1) * vocab);
    try {
        for (std::size_t t = 0; t < tokens.size(); t += kBatchTokens) {
            const auto batch = tokens.subspan(t, std::min(kBatchTokens, tokens.size() - t));
            const auto rows = state_->run_layers(compute, batch, cache, observer);
            const bool last = t + batch.size() == tokens.size();
            if (all) {
                state_->transformer.run_head(
                    compute, rows, out.subspan(t * vocab, batch.size() * vocab), observer);
            } else if (last) {
                state_->transformer.run_head(compute, rows.last(width), out, observer);
            }
        }
    } catch (...) {
        cache.truncate(before);
        throw;
    }
    return out;
}

}  // namespace espalier
