#include "eval/evaluate.h"

#include <algorithm>
#include <fmt/format.h>
#include <optional>

#include "base/cancel.h"
#include "base/error.h"
#include "base/file_hash.h"
#include "base/memory.h"
#include "data/dataset.h"
#include "eval/compare.h"
#include "eval/routing_floor.h"
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

/// Progress over several texts of what is done of one.
CompareProgress progress_of(const EvaluationInput& input, std::size_t index) {
    return [&input, index](double share) {
        if (!input.progress) return;
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
        const auto progress = [tell = progress_of(input, i)](std::int64_t done,
                                                             std::int64_t total) {
            tell(static_cast<double>(done) / static_cast<double>(total));
        };
        const auto measured = perplexity(model, text.ids, options_for(input, text), progress, stop);
        result["perplexity"][text.name] = measured.perplexity;
        tokens += measured.tokens;
    }
    result["tokens"] = tokens;
    return result;
}

using ExpertMap = std::vector<std::vector<std::int32_t>>;

/// Two cuts of one base may each have experts that the other lacks.
bool has_all(const ExpertMap& reference, const ExpertMap& model) {
    if (reference.size() != model.size()) return false;
    for (std::size_t layer = 0; layer < model.size(); ++layer) {
        const auto& known = reference[layer];
        for (const std::int32_t id : model[layer]) {
            if (std::find(known.begin(), known.end(), id) == known.end()) return false;
        }
    }
    return true;
}

/// Experts of the model in the numbering of the reference; empty if the model does not say what it
/// was cut from: then as many experts are taken for the same ones, and others are not compared.
/// Nothing if the reference lacks some of the model's.
std::optional<ExpertMap> expert_map(const EvaluationInput& input) {
    const Provenance model = provenance_of(input.model);
    if (model.base_hash == input.model.hash()) return ExpertMap();
    const Provenance reference = provenance_of(*input.reference);
    if (!has_all(reference.expert_map, model.expert_map)) return std::nullopt;
    return map_between(model.expert_map, reference.expert_map);
}

/// Whether weights that stay mapped would push each other out of memory.
bool exceeds_memory(const EvaluationInput& input) {
    std::uint64_t bytes = 0;
    for (const ModelSource* model : {&input.model, input.reference}) {
        for (const NamedTensor& tensor : model->stored_tensors()) bytes += tensor.view.bytes.size();
    }
    const std::uint64_t budget = input.memory_budget;
    return bytes > (budget > 0 ? budget : machine_memory().total_bytes / 2);
}

bool is_restricted(const EvaluationInput& input) {
    if (!input.mask.empty()) return true;
    const MoeConfig& own = input.model.config();
    const MoeConfig& other = input.reference->config();
    const auto layers = own.moe_layers();
    if (layers != other.moe_layers()) return own.router.num_experts != other.router.num_experts;
    return std::any_of(layers.begin(), layers.end(), [&](std::int64_t layer) {
        return own.num_experts_of(layer) != other.num_experts_of(layer);
    });
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
    RoutingReportInput report;
    report.probe_hash = hash_of_ids(input.texts);
    report.reference = input.reference->hash();
    report.bits_per_weight = bits_per_weight(input.model);
    report.limits = input.limits;
    if (is_quantised(input.model)) report.change = RoutingChange::Quantization;
    if (is_restricted(input)) report.change = RoutingChange::Pruning;
    const bool streams = exceeds_memory(input);
    std::optional<ComparisonSums> total;
    for (std::size_t i = 0; i < input.texts.size(); ++i) {
        const auto& text = input.texts[i];
        const ComparisonSums sums = compare_sums({.reference = reference,
                                                  .model = model,
                                                  .expert_map = map.value_or(ExpertMap()),
                                                  .ids = text.ids,
                                                  .options = options_for(input, text),
                                                  .mask = input.mask,
                                                  .merged = merged,
                                                  .reference_map = reference_map,
                                                  .compares_routing = map.has_value(),
                                                  .streams_layers = streams},
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
    report.flip_any = all.flip_any;
    if (input.floor_tokens > 0 && !all.routing.empty()) {
        const auto& text = input.texts.front();
        report.floor = routing_floor(reference,
                                     {.ids = text.ids,
                                      .options = options_for(input, text),
                                      .max_tokens = input.floor_tokens,
                                      .streams_layers = streams},
                                     stop);
    }
    result["tokens"] = all.tokens;
    result["kl"] = divergence_json(all);
    result["kl"]["files"] = std::move(by_text);
    result["routing"] = routing_report(report);
    if (!map) {
        result["routing"]["note"] =
            "the model has experts that the reference lacks: compare both with their original";
    }
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
