#include "eval/mask_probe.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "base/memory.h"
#include "eval/window_pass.h"
#include "infer/transformer.h"

namespace espalier {
namespace {

/// Rows of logits that a thread takes at a time.
constexpr std::size_t kRowsTogether = 8;

}  // namespace

struct MaskProbe::Sums {
    double kl = 0;
    double nll = 0;
    std::int64_t same_best = 0;
    std::int64_t tokens = 0;

    void add(const Divergence& row) {
        kl += row.kl;
        nll += row.model_nll;
        same_best += row.same_best ? 1 : 0;
        ++tokens;
    }
    void add(const Sums& other) {
        kl += other.kl;
        nll += other.nll;
        same_best += other.same_best;
        tokens += other.tokens;
    }
    MaskCost cost() const {
        if (tokens == 0) return {};
        const auto count = static_cast<double>(tokens);
        return {kl / count, static_cast<double>(same_best) / count, std::exp(nll / count), tokens};
    }
};

bool is_larger_than_memory(const ModelSource& model) {
    std::uint64_t bytes = 0;
    for (const NamedTensor& tensor : model.stored_tensors()) bytes += tensor.view.bytes.size();
    return is_larger_than_memory(bytes);
}

bool is_larger_than_memory(std::uint64_t bytes) {
    return bytes > machine_memory().available_bytes / 10 * 8;
}

MaskProbe::MaskProbe(NativeModel& model, TokenWindows windows, const MaskProbeOptions& options,
                     std::stop_token stop)
    : model_(model),
      windows_(std::move(windows)),
      options_(options),
      pass_(model, windows_.windows) {
    std::size_t longest = 0;
    for (const auto& window : windows_.windows) {
        require_known_ids(window, model.config().vocab_size);
        longest = std::max(longest, window.size());
    }
    first_scored_ = static_cast<std::size_t>(options.unscored_share * static_cast<double>(longest));
    std::size_t tokens = 0;
    std::size_t rows = 0;
    for (const auto& window : windows_.windows) {
        begins_.push_back(tokens);
        row_begins_.push_back(rows);
        tokens += window.size();
        rows += window.size() - std::min(window.size(), first_scored_);
    }
    if (longest < first_scored_ + 2) {
        throw Error(ErrorCode::DataEmpty, "The probe set has no token to predict.",
                    "Give a longer text.");
    }
    const auto vocab = static_cast<std::size_t>(model.config().vocab_size);
    const std::uint64_t half = options.memory_bytes / 2;
    if (rows * vocab * sizeof(float) <= half) {
        whole_probs_ = Buffer<float>(rows * vocab);
        whole_rows_.resize(rows);
    } else {
        whole_hidden_ = Buffer<float>(pass_.hidden().size());
    }
    const std::uint64_t state_bytes = std::max<std::uint64_t>(pass_.hidden().size_bytes(), 1);
    // Those of the settled mask and of the one measured last.
    const std::uint64_t num_states = std::max<std::uint64_t>(half / state_bytes / 2, 1);
    const std::size_t num_layers = model.config().layers.size();
    stride_ = (num_layers + num_states - 1) / num_states;
    states_.emplace_back(pass_.hidden().begin(), pass_.hidden().end());
    if (options.whole != nullptr) remember_whole(stop);
    whole_ = measure({}, stop);
    settle({}, stop);
    is_whole_ = false;
}

void MaskProbe::remember_whole(const std::stop_token& stop) {
    NativeModel& whole = *options_.whole;
    const auto vocab = static_cast<std::size_t>(whole.config().vocab_size);
    LayerwisePass pass(whole, windows_.windows);
    for (std::size_t layer = 0; layer < whole.config().layers.size(); ++layer) {
        pass.run_layer(layer, {}, stop);
        if (options_.streams_layers) whole.transformer().release_layer(layer);
    }
    if (whole_probs_.size() == 0) {
        std::copy(pass.hidden().begin(), pass.hidden().end(), whole_hidden_.span().begin());
    } else {
        pass.run_head(
            first_scored_,
            [&](std::size_t window, std::size_t first, std::span<const float> logits) {
                whole_rows(window, first, logits.size() / vocab, logits);
            },
            {}, stop);
    }
    is_whole_ = false;
}

MaskMeasurement MaskProbe::measure(const ExpertMask& mask, std::stop_token stop) {
    const std::size_t state =
        std::min(first_layer_that_differs(mask) / stride_, states_.size() - 1);
    model_.set_mask(mask);
    std::copy(states_[state].begin(), states_[state].end(), pass_.hidden().begin());
    last_states_.clear();
    run_layers(state * stride_, stop);
    const MaskMeasurement result = score(stop);
    last_ = mask;
    last_begin_ = state + 1;
    has_last_ = true;
    return result;
}

void MaskProbe::settle(const ExpertMask& mask, std::stop_token stop) {
    if (!has_last_ || last_ != mask) measure(mask, std::move(stop));
    states_.resize(last_begin_);
    for (auto& state : last_states_) states_.push_back(std::move(state));
    last_states_.clear();
    has_last_ = false;
    settled_ = mask;
}

std::size_t MaskProbe::first_layer_that_differs(const ExpertMask& mask) const {
    const std::size_t num_layers = model_.config().layers.size();
    for (std::size_t layer = 0; layer < num_layers; ++layer) {
        const auto index = static_cast<std::int64_t>(layer);
        const std::int64_t num_experts = model_.config().num_experts_of(index);
        if (mask.output_scale_of(index) != settled_.output_scale_of(index)) return layer;
        for (std::int64_t expert = 0; expert < num_experts; ++expert) {
            if (mask.is_removed(index, expert) != settled_.is_removed(index, expert)) return layer;
        }
    }
    return num_layers;
}

void MaskProbe::run_layers(std::size_t begin, const std::stop_token& stop) {
    const std::size_t num_layers = model_.config().layers.size();
    has_last_ = false;
    for (std::size_t layer = begin; layer < num_layers; ++layer) {
        if (layer > begin && layer % stride_ == 0) {
            last_states_.emplace_back(pass_.hidden().begin(), pass_.hidden().end());
        }
        pass_.run_layer(layer, {}, stop);
        if (options_.streams_layers) model_.transformer().release_layer(layer);
    }
    if (is_whole_ && whole_probs_.size() == 0) {
        std::copy(pass_.hidden().begin(), pass_.hidden().end(), whole_hidden_.span().begin());
    }
}

MaskMeasurement MaskProbe::score(const std::stop_token& stop) {
    std::vector<Sums> sums(windows_.tasks.size());
    pass_.run_head(
        first_scored_,
        [&](std::size_t window, std::size_t first, std::span<const float> logits) {
            add_rows(window, first, logits, sums);
        },
        {}, stop);
    MaskMeasurement result;
    Sums all;
    for (const Sums& task : sums) {
        result.tasks.push_back(task.cost());
        all.add(task);
    }
    result.all = all.cost();
    return result;
}

MaskProbe::WholeRows MaskProbe::whole_rows(std::size_t window, std::size_t first, std::size_t count,
                                           std::span<const float> logits) {
    const auto vocab = static_cast<std::size_t>(model_.config().vocab_size);
    const bool remembers = whole_probs_.size() > 0;
    const std::size_t at = remembers ? row_begins_[window] + first - first_scored_ : 0;
    if (!remembers) {
        whole_rows_.resize(count);
        computed_.resize(count * vocab);
    }
    const auto rows = std::span(whole_rows_).subspan(at, count);
    const std::span<float> probabilities =
        remembers ? whole_probs_.span().subspan(at * vocab, count * vocab) : computed_;
    if (is_whole_) {
        std::copy(logits.begin(), logits.end(), probabilities.begin());
    } else if (remembers) {
        return {probabilities, rows};
    } else {
        const auto width = static_cast<std::size_t>(model_.config().hidden_size);
        whole_model().transformer().run_head(
            {model_.pool(), whole_model().arithmetic(), {}},
            whole_hidden_.span().subspan((begins_[window] + first) * width, count * width),
            probabilities, nullptr);
    }
    const auto& ids = windows_.windows[window];
    model_.pool().parallel_for(count, kRowsTogether, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
            const std::size_t next = std::min(first + i + 1, ids.size() - 1);
            rows[i] = to_reference_row(probabilities.subspan(i * vocab, vocab), ids[next]);
        }
    });
    return {probabilities, rows};
}

void MaskProbe::add_rows(std::size_t window, std::size_t first, std::span<const float> logits,
                         std::vector<Sums>& sums) {
    const auto vocab = static_cast<std::size_t>(model_.config().vocab_size);
    const auto& ids = windows_.windows[window];
    const std::size_t count = logits.size() / vocab;
    const auto whole = whole_rows(window, first, count, logits);
    std::vector<Divergence> rows(std::min(count, ids.size() - 1 - first));
    model_.pool().parallel_for(rows.size(), kRowsTogether, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
            rows[i] = compare_with(whole.rows[i], whole.probabilities.subspan(i * vocab, vocab),
                                   logits.subspan(i * vocab, vocab), ids[first + i + 1]);
        }
    });
    Sums& task = sums[static_cast<std::size_t>(windows_.task_of_window[window])];
    for (const Divergence& row : rows) {
        if (!std::isfinite(row.kl + row.model_nll)) {
            throw Error(ErrorCode::NumberInvalid, "The model's predictions are not numbers.",
                        "Check the model: weights may be damaged.");
        }
        task.add(row);
    }
}

}  // namespace espalier
