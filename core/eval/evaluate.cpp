#include "eval/evaluate.h"

#include <algorithm>
#include <fmt/format.h>
#include <optional>

#include "base/cancel.h"
#include "base/error.h"
#include "base/file_hash.h"
#include "data/dataset.h"
#include "eval/compare.h"
#include "routing/provenance.h"
#include "routing/routing_report.h"

namespace espalier {
namespace {

Json divergence_json(const Comparison& comparison) {
    return {{"mean", comparison.kl_mean},
            {"median", comparison.kl_median},
            {"p999", comparison.kl_p999},
            {"max", comparison.kl_max},
            {"top1", comparison.top1}};
}

std::string hash_of_ids(std::span<const EvaluationText> texts) {
    Sha256 hash;
    for (const EvaluationText& text : texts) hash.update(std::as_bytes(std::span(text.ids)));
    return hash.hex();
}

double bits_per_weight(const ModelSource& model) {
    std::uint64_t bytes = 0;
    std::uint64_t elements = 0;
    for (const NamedTensor& tensor : model.stored_tensors()) {
        bytes += tensor.view.bytes.size();
        elements += num_elements(tensor.view.shape).value_or(0);
    }
    return elements == 0 ? 0.0 : 8.0 * static_cast<double>(bytes) / static_cast<double>(elements);
}

bool is_quantised(const ModelSource& model) {
    const auto tensors = model.stored_tensors();
    return std::any_of(tensors.begin(), tensors.end(),
                       [](const NamedTensor& tensor) { return is_block(tensor.view.dtype); });
}

/// Progress over several texts of one text's windows.
CompareProgress progress_of(const EvaluationInput& input, std::size_t index) {
    return [&input, index](std::int64_t done, std::int64_t total) {
        if (!input.progress) return;
        const double share = static_cast<double>(done) / static_cast<double>(total);
        input.progress(
            (static_cast<double>(index) + share) / static_cast<double>(input.texts.size()),
            input.texts[index].name);
    };
}

PerplexityOptions options_for(const EvaluationInput& input, const EvaluationText& text) {
    PerplexityOptions options = input.options;
    if (options.bos_token < 0) options.bos_token = text.bos;
    return options;
}

Json evaluate_alone(const EvaluationInput& input, NativeModel& model, const std::stop_token& stop) {
    Json result = {{"perplexity", Json::object()}, {"tokens", 0}};
    std::int64_t tokens = 0;
    for (std::size_t i = 0; i < input.texts.size(); ++i) {
        const auto& text = input.texts[i];
        const auto measured =
            perplexity(model, text.ids, options_for(input, text), progress_of(input, i), stop);
        result["perplexity"][text.name] = measured.perplexity;
        tokens += measured.tokens;
    }
    result["tokens"] = tokens;
    return result;
}

/// Experts of the model in the numbering of the reference; empty if the model does not say what it
/// was cut from: then as many experts are taken for the same ones, and others are not compared.
std::vector<std::vector<std::int32_t>> expert_map(const EvaluationInput& input) {
    const Provenance model = provenance_of(input.model);
    if (model.base_hash == input.model.hash()) return {};
    return map_between(model.expert_map, provenance_of(*input.reference).expert_map);
}

bool is_restricted(const EvaluationInput& input) {
    if (!input.mask.empty()) return true;
    return input.model.config().router.num_experts != input.reference->config().router.num_experts;
}

Json evaluate_against(const EvaluationInput& input, NativeModel& model, NativeModel& reference,
                      const std::stop_token& stop) {
    Json result = {{"perplexity", Json::object()},
                   {"tokens", 0},
                   {"reference_perplexity", Json::object()},
                   {"kl", Json::object()}};
    const auto map = expert_map(input);
    const auto merged = provenance_of(input.model).merged;
    const auto reference_map = provenance_of(*input.reference).expert_map;
    Json by_text = Json::object();
    RoutingReportInput report{hash_of_ids(input.texts),
                              input.reference->hash(),
                              RoutingChange::None,
                              bits_per_weight(input.model),
                              {},
                              {}};
    if (is_quantised(input.model)) report.change = RoutingChange::Quantization;
    if (is_restricted(input)) report.change = RoutingChange::Pruning;
    std::optional<ComparisonSums> total;
    for (std::size_t i = 0; i < input.texts.size(); ++i) {
        const auto& text = input.texts[i];
        const ComparisonSums sums =
            compare_sums({reference, model, map, text.ids, options_for(input, text), input.mask,
                          merged, reference_map},
                         progress_of(input, i), stop);
        const Comparison comparison = sums.result();
        result["perplexity"][text.name] = comparison.model_perplexity;
        result["reference_perplexity"][text.name] = comparison.reference_perplexity;
        by_text[text.name] = divergence_json(comparison);
        report.tasks[text.name] = comparison.routing;
        if (total) {
            total->merge(sums);
        } else {
            total = sums;
        }
    }
    const Comparison all = total->result();
    report.layers = all.routing;
    result["tokens"] = all.tokens;
    result["kl"] = divergence_json(all);
    result["kl"]["files"] = std::move(by_text);
    result["routing"] = routing_report(report);
    return result;
}

TokenizerFiles tokenizer_of(const ModelSource& model) {
    auto files = model.tokenizer_files();
    if (files) return std::move(*files);
    throw Error(
        ErrorCode::FileMissing,
        fmt::format("{} has no tokenizer, so texts cannot be measured.", model.path().string()),
        "Put its tokenizer.json into the folder.");
}

}  // namespace

TokenId bos_token(const Tokenizer& tokenizer) {
    const auto special = tokenizer.encode("a", true);
    const auto plain = tokenizer.encode("a", false);
    if (special.size() <= plain.size() || special.front() == plain.front()) return -1;
    return special.front();
}

std::vector<EvaluationText> read_texts(const ModelSource& model,
                                       std::span<const std::string> files) {
    const TokenizerFiles parts = tokenizer_of(model);
    const Tokenizer tokenizer(parts.tokenizer);
    const TokenId bos = bos_token(tokenizer);
    std::vector<EvaluationText> texts;
    for (const std::string& file : files) {
        EvaluationText text{file, {}, bos};
        if (bos >= 0) text.ids.push_back(bos);
        for (const Document& document :
             read_documents({file, "", 1.0}, parts.chat_template, parts.config)) {
            const auto ids = tokenizer.encode(document.text, false);
            text.ids.insert(text.ids.end(), ids.begin(), ids.end());
        }
        texts.push_back(std::move(text));
    }
    return texts;
}

Json evaluate(const EvaluationInput& input, std::stop_token stop) {
    if (input.texts.empty()) {
        throw Error(ErrorCode::DataEmpty, "There is no text to measure the model on.",
                    "Name at least one text file.");
    }
    NativeModel model(input.model, input.pool);
    model.set_mask(input.mask);
    if (input.reference == nullptr) return evaluate_alone(input, model, stop);
    NativeModel reference(*input.reference, input.pool);
    return evaluate_against(input, model, reference, stop);
}

}  // namespace espalier
