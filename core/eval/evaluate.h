#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/thread_pool.h"
#include "eval/perplexity.h"
#include "model/expert_mask.h"
#include "model/model_source.h"
#include "tokenizer/tokenizer.h"

namespace espalier {

/// A text to measure on, as token ids; no special tokens but the model's own at the start.
struct EvaluationText {
    std::string name;  ///< as it stands in the result
    std::vector<TokenId> ids;
    TokenId bos = -1;  ///< begins every window unless the options name another; -1 = none
};

/// Reads texts as the model's tokenizer sees them: `.txt` whole, the documents of a JSONL one after
/// the other. @throws Error FileMissing if the model has no tokenizer, DataLine for a broken file
std::vector<EvaluationText> read_texts(const ModelSource& model,
                                       std::span<const std::string> files);

/// What the model puts before every text by itself, or -1.
TokenId bos_token(const Tokenizer& tokenizer);

struct EvaluationInput {
    const ModelSource& model;
    const ModelSource* reference = nullptr;  ///< null = perplexity alone
    ExpertMask mask = {};                    ///< the model runs as if those experts were gone
    std::span<const EvaluationText> texts;
    PerplexityOptions options = {};
    ThreadPool& pool;
    std::function<void(double fraction, const std::string& text)> progress = {};
    /// Tokens of the first text on which the reference is compared with itself in other arithmetic,
    /// for what routing differs by without any change; 0 = not measured.
    std::int64_t floor_tokens = 1024;
    /// {metric: {"pass", "warn"}} in place of the project's own limits; see routing_report.h.
    Json limits = Json::object();
    /// Bytes that both models' weights may take; 0 = half of the machine's memory. Beyond it,
    /// layers are given back behind the pass, and hidden states are what stays.
    std::uint64_t memory_budget = 0;
};

/// {"perplexity": {text: …}, "tokens": scored} and, with a reference, "reference_perplexity":
/// {text: …}, "kl": {"mean", "median", "p999", "max", "top1", "files": {text: {…}}} over all scored
/// tokens and "routing": routing_report.h, from the same pass. Experts are matched by the
/// provenance of both models.
/// @throws Error as perplexity() and compare_models(); Cancelled
Json evaluate(const EvaluationInput& input, std::stop_token stop = {});

}  // namespace espalier
