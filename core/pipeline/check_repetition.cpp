#include "pipeline/check_repetition.h"

#include <fmt/format.h>
#include <optional>
#include <string>

#include "base/log.h"
#include "base/thread_pool.h"
#include "eval/mask_probe.h"
#include "eval/repetition.h"

namespace espalier {
namespace {

/// Beyond what the original does; half of the text where that is not known.
constexpr double kMoreThanBefore = 0.2;
constexpr double kMost = 0.5;

std::optional<Repetition> repetition_of(const ModelSource& source, const TextsToCheck& texts,
                                        double begin, const std::stop_token& stop) {
    const auto files = source.tokenizer_files();
    if (!files || is_larger_than_memory(source)) return std::nullopt;
    ThreadPool pool(texts.num_threads);
    NativeModel model(source, pool);
    RepetitionOptions options{.tokens = texts.tokens};
    if (texts.progress) {
        options.progress = [&](double share) { texts.progress(begin + share / 2); };
    }
    return measure_repetition(model, Tokenizer(files->tokenizer), options, stop);
}

}  // namespace

Json check_repetition(const TextsToCheck& texts, std::stop_token stop) {
    Json figures = Json::object();
    if (texts.tokens == 0) return figures;
    const auto cut_source = ModelSource::open(texts.out);
    const auto cut = repetition_of(*cut_source, texts, 0, stop);
    if (!cut) {
        log("prune").info(
            "whether the result repeats itself was not tried: it is larger than "
            "memory, or has no tokenizer");
        return figures;
    }
    figures["loop_rate"] = cut->loop_rate;
    figures["loop_rate_worst"] = cut->worst;
    const auto whole = repetition_of(texts.model, texts, 0.5, stop);
    if (whole) figures["loop_rate_original"] = whole->loop_rate;
    const double most = whole ? whole->loop_rate + kMoreThanBefore : kMost;
    if (cut->loop_rate > most) {
        log("prune").warn(
            "the result repeats itself: {:.0f} % of what it writes it has written "
            "before{}",
            100 * cut->loop_rate,
            whole ? fmt::format(", of the original {:.0f} %", 100 * whole->loop_rate)
                  : std::string());
    } else {
        log("prune").info("{} tokens written, {:.1f} % of them a repetition", cut->tokens,
                          100 * cut->loop_rate);
    }
    return figures;
}

}  // namespace espalier
