#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>

#include "infer/native_model.h"
#include "tokenizer/tokenizer.h"

namespace espalier {

inline constexpr std::size_t kRepetitionTexts = 8;

struct RepetitionOptions {
    std::int64_t tokens = 512;  ///< of each text, at most
    /// Told the share that is done; may be empty.
    std::function<void(double share)> progress = {};
};

/// How far a model says again what it has said: a damaged one goes round in circles.
struct Repetition {
    double loop_rate = 0;     ///< mean over the texts
    double worst = 0;         ///< of the text that repeats itself most
    std::int64_t tokens = 0;  ///< generated, of all texts
};

/// Share of the sequences of eight tokens that stand earlier in the text already; 0 for fewer than
/// two of them.
double loop_rate(std::span<const std::int32_t> ids);

/// Goes on from eight short beginnings of code, prose, lists and dialogue, at temperature 0.7; the
/// same model gives the same texts. Masks hold. @throws Error; Cancelled
Repetition measure_repetition(NativeModel& model, const Tokenizer& tokenizer,
                              const RepetitionOptions& options, std::stop_token stop = {});

}  // namespace espalier
