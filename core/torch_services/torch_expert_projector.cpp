#include "torch_services/torch_expert_projector.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <span>
#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>
#include <utility>
#include <vector>

#include <c10/core/GradMode.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/rng.h"
#include "nn/block.h"
#include "nn/embedding.h"
#include "nn/head.h"
#include "nn/norms.h"
#include "nn/torch_errors.h"
#include "nn/torch_tensors.h"
#include "nn/torch_threads.h"
#include "torch_services/project_experts.h"

namespace espalier {
namespace {

/// Tokens that go through a layer together.
constexpr std::size_t kBatchTokens = 2048;
/// Logits that exist at a time, for a thread.
constexpr std::int64_t kLogits = std::int64_t{1} << 22;

/// Windows that are computed together.
struct Batch {
    std::vector<std::size_t> windows;
    Sequences sequences;
    std::vector<torch::Tensor> states;  ///< [tokens, hidden] before each layer, and before the head
    OutputGradients gradients;          ///< with respect to the newest state
};

/// Remembers what goes into the router.
class RouterInput final : public LayerTap {
public:
    void on_input(std::span<const TensorRole> roles, const torch::Tensor& rows) override {
        if (roles.front() == TensorRole::Router) rows_ = rows.detach();
    }
    const torch::Tensor& rows() const noexcept { return rows_; }

private:
    torch::Tensor rows_;
};

torch::Tensor gradient(const torch::Tensor& output, const torch::Tensor& input,
                       const torch::Tensor& of_output) {
    return torch::autograd::grad({output}, {input}, {of_output}, true, false, false).front();
}

class TorchExpertProjector final : public ExpertProjector {
public:
    TorchExpertProjector(const ModelSource& model, TokenWindows windows,
                         const ExpertProjectorOptions& options, ThreadPool& pool)
        : model_(model),
          config_(model.config()),
          windows_(std::move(windows.windows)),
          options_(options),
          pool_(pool),
          longest_(longest(windows_)),
          first_scored_(
              static_cast<std::int64_t>(options.unscored_share * static_cast<double>(longest_))),
          rotary_(config_.attention.rope, longest_),
          whole_(windows_.size()) {}

    ProjectedExperts project(const ExpertMask& mask, std::span<const std::size_t> windows,
                             double temperature, std::stop_token stop) override {
        return with_torch_errors([&] {
            use_one_torch_thread();
            learn_whole(windows, stop);
            std::vector<Batch> batches = cut(windows);
            forward(batches, mask, stop);
            temperature_ = temperature;
            head(batches, stop);
            return backward(batches, mask, stop);
        });
    }

private:
    static std::int64_t longest(const std::vector<std::vector<TokenId>>& windows) {
        std::size_t length = 1;
        for (const auto& window : windows) length = std::max(length, window.size());
        return static_cast<std::int64_t>(length);
    }

    void for_each_batch(std::vector<Batch>& batches,
                        const std::function<void(Batch&, std::size_t)>& body) {
        pool_.parallel_for(batches.size(), 1, [&](std::size_t begin, std::size_t end) {
            for (std::size_t i = begin; i < end; ++i) {
                with_torch_errors([&] { body(batches[i], i); });
            }
        });
    }

    std::vector<Batch> cut(std::span<const std::size_t> windows) const {
        std::vector<Batch> batches;
        std::size_t tokens = kBatchTokens;
        for (const std::size_t window : windows) {
            const std::size_t length = windows_[window].size();
            if (tokens + length > kBatchTokens) {
                batches.emplace_back();
                tokens = 0;
            }
            tokens += length;
            batches.back().windows.push_back(window);
            batches.back().sequences.lengths.push_back(static_cast<std::int64_t>(length));
        }
        return batches;
    }

    BlockContext context(std::int64_t layer, const LayerTensors& weights, const Batch& batch,
                         const ExpertMask& mask, LayerTap* tap, const std::stop_token& stop) const {
        return {.config = config_,
                .layer = layer,
                .weights = weights,
                .rotary = rotary_,
                .sequences = batch.sequences,
                .removed = removed_of(mask, layer),
                .routed_scale = static_cast<double>(mask.output_scale_of(layer)),
                .tap = tap,
                .stop = stop};
    }

    static const std::vector<bool>& removed_of(const ExpertMask& mask, std::int64_t layer) {
        static const std::vector<bool> kNone;
        return mask.empty() ? kNone : mask.removed.at(static_cast<std::size_t>(layer));
    }

    /// What the whole model makes of windows that were not asked for before.
    void learn_whole(std::span<const std::size_t> windows, const std::stop_token& stop) {
        std::vector<std::size_t> unknown;
        for (const std::size_t window : windows) {
            if (!whole_.at(window).defined()) unknown.push_back(window);
        }
        std::vector<Batch> batches = cut(unknown);
        forward(batches, {}, stop);
        for (const Batch& batch : batches) {
            std::int64_t begin = 0;
            for (std::size_t i = 0; i < batch.windows.size(); ++i) {
                const std::int64_t length = batch.sequences.lengths[i];
                whole_[batch.windows[i]] = batch.states.back().narrow(0, begin, length).clone();
                begin += length;
            }
        }
    }

    void forward(std::vector<Batch>& batches, const ExpertMask& mask, const std::stop_token& stop) {
        for (Batch& batch : batches) {
            std::vector<std::int32_t> ids;
            for (const std::size_t window : batch.windows) {
                ids.insert(ids.end(), windows_[window].begin(), windows_[window].end());
            }
            batch.states.push_back(embed_tokens(model_, ids));
        }
        for (std::int64_t layer = 0; layer < config_.num_layers() && !batches.empty(); ++layer) {
            const LayerTensors weights = load_layer(model_, layer, stop);
            for_each_batch(batches, [&](Batch& batch, std::size_t) {
                const c10::NoGradGuard no_gradients;
                batch.states.push_back(run_block(
                    context(layer, weights, batch, mask, nullptr, stop), batch.states.back()));
            });
            model_.release_layer(static_cast<std::int32_t>(layer));
        }
    }

    /// Gradients with respect to what goes into the head; zero where nothing is scored.
    void head(std::vector<Batch>& batches, const std::stop_token& stop) {
        const Head head = load_head(model_);
        for_each_batch(batches, [&](Batch& batch, std::size_t) {
            const torch::Tensor& state = batch.states.back();
            batch.gradients.cost = torch::zeros_like(state);
            for (std::int64_t i = 0; i < options_.labels; ++i) {
                batch.gradients.sampled.push_back(torch::zeros_like(state));
            }
            std::int64_t begin = 0;
            for (std::size_t i = 0; i < batch.windows.size(); ++i) {
                const std::int64_t length = batch.sequences.lengths[i];
                head_of_window(head, batch, batch.windows[i], begin, length, stop);
                begin += length;
            }
        });
        model_.release_layer(-1);
    }

    void head_of_window(const Head& head, Batch& batch, std::size_t window, std::int64_t begin,
                        std::int64_t length, const std::stop_token& stop) const {
        Rng rng = Rng(options_.seed).stream(fmt::format("labels {}", window));
        const std::int64_t rows = std::max<std::int64_t>(1, kLogits / config_.vocab_size);
        for (std::int64_t first = first_scored_; first < length - 1; first += rows) {
            throw_if_stopped(stop);
            const std::int64_t count = std::min(rows, length - 1 - first);
            const torch::Tensor input =
                batch.states.back().narrow(0, begin + first, count).clone().requires_grad_(true);
            const OutputGradients found =
                head_gradients(head, input, whole_[window].narrow(0, first, count), rng);
            batch.gradients.cost.narrow(0, begin + first, count).copy_(found.cost);
            for (std::size_t i = 0; i < found.sampled.size(); ++i) {
                batch.gradients.sampled[i].narrow(0, begin + first, count).copy_(found.sampled[i]);
            }
        }
    }

    torch::Tensor logits(const Head& head, const torch::Tensor& state) const {
        return head.logits(config_, rms_norm(state, head.norm, config_.rms_norm_eps));
    }

    OutputGradients head_gradients(const Head& head, const torch::Tensor& input,
                                   const torch::Tensor& whole, Rng& rng) const {
        const torch::Tensor rows = logits(head, input);
        const c10::NoGradGuard no_gradients;
        const torch::Tensor probs = torch::softmax(rows, -1);
        const torch::Tensor sums = torch::softmax(rows / temperature_, -1).cumsum(-1);
        const std::int64_t last = sums.size(1) - 1;
        OutputGradients gradients;
        // Of KL(whole || masked), and of each label's log loss, with respect to the logits.
        gradients.cost = gradient(rows, input, probs - torch::softmax(logits(head, whole), -1));
        torch::Tensor drawn = torch::empty({probs.size(0), 1});
        for (std::int64_t i = 0; i < options_.labels; ++i) {
            for (float& value : mutable_values(drawn)) value = static_cast<float>(rng.uniform());
            const torch::Tensor label =
                torch::searchsorted(sums, drawn * sums.narrow(1, last, 1)).clamp_max(last);
            gradients.sampled.push_back(
                gradient(rows, input, probs.scatter_add(1, label, -torch::ones_like(drawn))));
        }
        return gradients;
    }

    ProjectedExperts backward(std::vector<Batch>& batches, const ExpertMask& mask,
                              const std::stop_token& stop) {
        const std::vector<std::int64_t> routed = config_.moe_layers();
        ProjectedExperts projected{
            .layers = {}, .num_labels = options_.labels, .scored = scored(batches)};
        for (std::int64_t layer = config_.num_layers() - 1; layer >= routed.front(); --layer) {
            const LayerTensors weights = load_layer(model_, layer, stop);
            std::vector<ProjectedLayer> parts(batches.size());
            for_each_batch(batches, [&](Batch& batch, std::size_t i) {
                parts[i] = backward_layer(weights, batch, layer, mask, stop);
            });
            model_.release_layer(static_cast<std::int32_t>(layer));
            if (parts.front().logits.empty()) continue;
            for (const ProjectedLayer& part : parts) append(part, projected.layers[layer]);
        }
        return projected;
    }

    ProjectedLayer backward_layer(const LayerTensors& weights, Batch& batch, std::int64_t layer,
                                  const ExpertMask& mask, const std::stop_token& stop) const {
        batch.states.pop_back();
        const torch::Tensor input = batch.states.back().detach().requires_grad_(true);
        RouterInput router;
        torch::Tensor output;
        {
            const c10::AutoGradMode with_gradients(true);
            output = run_block(context(layer, weights, batch, mask, &router, stop), input);
        }
        ProjectedLayer projected;
        if (router.rows().defined()) {
            const c10::NoGradGuard no_gradients;
            projected = project_experts(config_, weights, router.rows(), batch.gradients);
        }
        batch.gradients.cost = gradient(output, input, batch.gradients.cost);
        for (torch::Tensor& sampled : batch.gradients.sampled) {
            sampled = gradient(output, input, sampled);
        }
        return projected;
    }

    static void append(const ProjectedLayer& part, ProjectedLayer& to) {
        for (const float value : part.cost) {
            if (std::isfinite(value)) continue;
            throw Error(ErrorCode::NumberInvalid, "The model's predictions are not numbers.",
                        "Check the model: weights may be damaged.");
        }
        to.selection_bias = part.selection_bias;
        to.logits.insert(to.logits.end(), part.logits.begin(), part.logits.end());
        to.cost.insert(to.cost.end(), part.cost.begin(), part.cost.end());
        to.sampled.insert(to.sampled.end(), part.sampled.begin(), part.sampled.end());
    }

    std::int64_t scored(const std::vector<Batch>& batches) const {
        std::int64_t scored = 0;
        for (const Batch& batch : batches) {
            for (const std::int64_t length : batch.sequences.lengths) {
                scored += std::max<std::int64_t>(0, length - 1 - first_scored_);
            }
        }
        return scored;
    }

    const ModelSource& model_;
    MoeConfig config_;
    std::vector<std::vector<TokenId>> windows_;
    ExpertProjectorOptions options_;
    ThreadPool& pool_;
    double temperature_ = 1;  ///< of this call
    std::int64_t longest_;    ///< window, in tokens
    std::int64_t first_scored_;
    Rotary rotary_;
    std::vector<torch::Tensor> whole_;  ///< of a window, what the whole model hands to its head
};

}  // namespace

std::unique_ptr<ExpertProjector> make_expert_projector(const ModelSource& model,
                                                       TokenWindows windows,
                                                       const ExpertProjectorOptions& options,
                                                       ThreadPool& pool) {
    return std::make_unique<TorchExpertProjector>(model, std::move(windows), options, pool);
}

}  // namespace espalier
