#include "eval/repetition.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "base/cancel.h"
#include "infer/generator.h"

namespace espalier {
namespace {

constexpr std::size_t kSequence = 8;
/// Greedy texts go round in circles with whole models too.
constexpr double kTemperature = 0.7;

constexpr std::array<std::string_view, kRepetitionTexts> kBeginnings{
    "def read_table(path, separator):\n    \"\"\"Reads a table",
    "#include <vector>\n\nclass Matrix {\npublic:\n",
    "Once upon a time, in a town by the sea, there lived",
    "The most important thing to know about the climate is",
    "To make bread you need the following things:\n1.",
    "Question: How does a computer store a picture?\nAnswer:",
    "{\n  \"name\": \"inventory\",\n  \"items\": [\n",
    "\"Where have you been?\" she asked.\n",
};

}  // namespace

double loop_rate(std::span<const std::int32_t> ids) {
    if (ids.size() <= kSequence) return 0;
    std::set<std::vector<std::int32_t>> seen;
    std::size_t repeated = 0;
    const std::size_t sequences = ids.size() - kSequence + 1;
    for (std::size_t i = 0; i < sequences; ++i) {
        const auto sequence = ids.subspan(i, kSequence);
        if (!seen.emplace(sequence.begin(), sequence.end()).second) ++repeated;
    }
    return static_cast<double>(repeated) / static_cast<double>(sequences);
}

Repetition measure_repetition(NativeModel& model, const Tokenizer& tokenizer,
                              const RepetitionOptions& options, std::stop_token stop) {
    Generator generator(model, tokenizer, end_token_ids(model.source(), tokenizer));
    GenerationOptions generation;
    generation.sampling.temperature = kTemperature;
    generation.max_tokens = options.tokens;
    Repetition result;
    double done = 0;
    for (const std::string_view beginning : kBeginnings) {
        const auto ids = generator.generate(tokenizer.encode(beginning), generation, {}, stop).ids;
        throw_if_stopped(stop);
        const double rate = loop_rate(ids);
        result.loop_rate += rate / static_cast<double>(kBeginnings.size());
        result.worst = std::max(result.worst, rate);
        result.tokens += static_cast<std::int64_t>(ids.size());
        if (options.progress) options.progress(++done / static_cast<double>(kBeginnings.size()));
    }
    return result;
}

}  // namespace espalier
