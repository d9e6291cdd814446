#include "infer/sampler.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <numeric>
#include <string_view>

#include "base/error.h"

namespace espalier {
namespace {

void check(bool is_valid, std::string_view field, std::string_view range, double value) {
    if (is_valid) return;
    throw Error(ErrorCode::UsageInvalid, fmt::format("{} must be {}, not {}.", field, range, value),
                "Change the sampling settings.");
}

}  // namespace

void validate(const SamplingOptions& options) {
    const auto at_least = [](double value, double least) {
        return std::isfinite(value) && value >= least;
    };
    check(at_least(options.temperature, 0.0), "temperature", "0 or more", options.temperature);
    check(options.top_k >= 0, "top_k", "0 or more", static_cast<double>(options.top_k));
    check(at_least(options.top_p, 0.0) && options.top_p <= 1.0 && options.top_p > 0.0, "top_p",
          "above 0 and at most 1", options.top_p);
    check(at_least(options.min_p, 0.0) && options.min_p <= 1.0, "min_p", "from 0 to 1",
          options.min_p);
    check(at_least(options.repetition_penalty, 0.0) && options.repetition_penalty > 0.0,
          "repetition_penalty", "above 0", options.repetition_penalty);
    check(options.repetition_window >= 0, "repetition_window", "0 or more",
          static_cast<double>(options.repetition_window));
}

Sampler::Sampler(const SamplingOptions& options)
    : options_(options), rng_(Rng(options.seed).stream("infer.sample")) {
    validate(options);
}

void Sampler::penalise_repetition(std::span<const std::int32_t> history) {
    if (options_.repetition_penalty == 1.0) return;
    const auto window =
        std::min(history.size(), static_cast<std::size_t>(options_.repetition_window));
    std::vector<std::int32_t> seen(history.end() - static_cast<std::ptrdiff_t>(window),
                                   history.end());
    std::sort(seen.begin(), seen.end());
    seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
    const auto penalty = static_cast<float>(options_.repetition_penalty);
    for (const std::int32_t id : seen) {
        if (id < 0 || static_cast<std::size_t>(id) >= scores_.size()) continue;
        float& score = scores_[static_cast<std::size_t>(id)];
        score = score > 0.0F ? score / penalty : score * penalty;
    }
}

void Sampler::keep_top_k() {
    order_.resize(scores_.size());
    std::iota(order_.begin(), order_.end(), 0);
    const auto k = static_cast<std::size_t>(options_.top_k);
    if (k == 0 || k >= order_.size()) return;
    const auto better = [this](std::int32_t a, std::int32_t b) {
        const float x = scores_[static_cast<std::size_t>(a)];
        const float y = scores_[static_cast<std::size_t>(b)];
        return x != y ? x > y : a < b;
    };
    std::partial_sort(order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(k), order_.end(),
                      better);
    order_.resize(k);
}

void Sampler::to_probabilities() {
    float largest = -std::numeric_limits<float>::infinity();
    for (const std::int32_t id : order_) {
        largest = std::max(largest, scores_[static_cast<std::size_t>(id)]);
    }
    probs_.resize(order_.size());
    for (std::size_t i = 0; i < order_.size(); ++i) {
        const auto below = static_cast<double>(scores_[static_cast<std::size_t>(order_[i])]) -
                           static_cast<double>(largest);
        probs_[i] = std::exp(below / options_.temperature);
    }
}

void Sampler::keep_top_p() {
    if (options_.top_p >= 1.0) return;
    const double wanted = options_.top_p * std::accumulate(probs_.begin(), probs_.end(), 0.0);
    // A heap gives the best one by one: sorting a whole vocabulary for a handful would cost
    // milliseconds.
    std::vector<std::pair<double, std::int32_t>> heap;  // the lower id first among equals
    heap.reserve(order_.size());
    for (std::size_t i = 0; i < order_.size(); ++i) heap.emplace_back(probs_[i], -order_[i]);
    std::make_heap(heap.begin(), heap.end());
    order_.clear();
    probs_.clear();
    double sum = 0.0;
    while (!heap.empty() && (order_.empty() || sum < wanted)) {
        std::pop_heap(heap.begin(), heap.end());
        sum += heap.back().first;
        probs_.push_back(heap.back().first);
        order_.push_back(-heap.back().second);
        heap.pop_back();
    }
}

void Sampler::keep_min_p() {
    if (options_.min_p <= 0.0) return;
    const double least = options_.min_p * *std::max_element(probs_.begin(), probs_.end());
    std::size_t kept = 0;
    for (std::size_t i = 0; i < order_.size(); ++i) {
        if (probs_[i] < least) continue;
        order_[kept] = order_[i];
        probs_[kept++] = probs_[i];
    }
    order_.resize(kept);
    probs_.resize(kept);
}

std::int32_t Sampler::draw() {
    const double total = std::accumulate(probs_.begin(), probs_.end(), 0.0);
    double left = rng_.uniform() * total;
    for (std::size_t i = 0; i < order_.size(); ++i) {
        left -= probs_[i];
        if (left < 0.0) return order_[i];
    }
    return order_.back();  // rounding: the sum came out a hair below the total
}

std::int32_t Sampler::sample(std::span<const float> logits, std::span<const std::int32_t> history) {
    scores_.assign(logits.begin(), logits.end());
    penalise_repetition(history);
    const auto best = std::max_element(scores_.begin(), scores_.end());
    const bool has_nan =
        std::any_of(scores_.begin(), scores_.end(), [](float score) { return std::isnan(score); });
    if (has_nan || !std::isfinite(*best)) {
        throw Error(ErrorCode::NumberInvalid, "The model computed logits that are not numbers.",
                    "Check the model file; its weights may be damaged.");
    }
    if (options_.temperature == 0.0) return static_cast<std::int32_t>(best - scores_.begin());
    keep_top_k();
    to_probabilities();
    keep_top_p();
    keep_min_p();
    return draw();
}

}  // namespace espalier
