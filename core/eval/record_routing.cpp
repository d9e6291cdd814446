#include "eval/record_routing.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "base/file_hash.h"
#include "eval/routing_recorder.h"
#include "eval/window_pass.h"
#include "eval/windows.h"
#include "infer/layerwise.h"
#include "infer/transformer.h"
#include "model/router_groups.h"
#include "routing/provenance.h"
#include "routing/routing_report.h"
#include "tensor/float_formats.h"

namespace espalier {
namespace {

/// Turns a layer's rows into their form on disk.
class LayerRecorder {
public:
    /// @param original [expert] id in the original
    LayerRecorder(const RouterConfig& router, std::vector<std::int32_t> original)
        : router_(router), original_(std::move(original)), order_(original_.size()) {
        std::iota(order_.begin(), order_.end(), std::size_t{0});
        std::sort(order_.begin(), order_.end(),
                  [this](std::size_t a, std::size_t b) { return original_[a] < original_[b]; });
    }

    RoutingTrace::Layer record(const RoutingRecorder::Layer& rows, std::size_t logit_tokens) {
        RoutingTrace::Layer layer;
        for (const std::size_t e : order_) layer.expert_ids.push_back(original_[e]);
        for (std::size_t t = 0; t < rows.num_tokens(); ++t) {
            add_choice(rows, t, layer);
            if (t >= logit_tokens) continue;
            append(rows.logits_of(t), layer.logits);
            append(rows.scores_of(t), layer.scores);
        }
        return layer;
    }

private:
    void append(std::span<const float> row, std::vector<std::uint16_t>& into) const {
        if (row.empty()) return;
        for (const std::size_t e : order_) into.push_back(float_to_f16(row[e]));
    }

    void add_choice(const RoutingRecorder::Layer& rows, std::size_t token,
                    RoutingTrace::Layer& layer) {
        const auto selected = rows.selected_of(token);
        const auto weights = rows.weights_of(token);
        std::vector<std::size_t> by_gate(selected.size());
        std::iota(by_gate.begin(), by_gate.end(), std::size_t{0});
        std::stable_sort(by_gate.begin(), by_gate.end(),
                         [&](std::size_t a, std::size_t b) { return weights[a] > weights[b]; });
        for (const std::size_t j : by_gate) {
            const auto expert = static_cast<std::size_t>(selected[j]);
            layer.topk_id.push_back(static_cast<std::uint16_t>(original_[expert]));
            layer.gate_w.push_back(float_to_f16(weights[j]));
        }
        const auto scores = rows.scores_of(token);
        layer.margin.push_back(
            float_to_f16(margin(scores.empty() ? rows.logits_of(token) : scores, selected)));
    }

    /// The worst chosen score less the best that could have been chosen and was not; infinite if
    /// there is none.
    float margin(std::span<const float> scores, std::span<const std::int32_t> selected) {
        scores_.assign(scores.begin(), scores.end());
        keep_best_groups(router_, scores_);
        float last = std::numeric_limits<float>::infinity();
        for (const std::int32_t expert : selected) {
            float& score = scores_[static_cast<std::size_t>(expert)];
            last = std::min(last, score);
            score = kOutsideBestGroups;
        }
        const float next = *std::max_element(scores_.begin(), scores_.end());
        return next > kOutsideBestGroups ? last - next : std::numeric_limits<float>::infinity();
    }

    RouterConfig router_;
    std::vector<std::int32_t> original_;
    std::vector<std::size_t> order_;  ///< columns by ascending original id
    std::vector<float> scores_;
};

Json documents_of(const RecordRoutingInput& input) {
    Json documents = Json::array();
    std::size_t begin = 0;
    for (std::size_t w = 0; w < input.windows.size(); ++w) {
        documents.push_back(
            {{"task", w < input.tasks.size() ? input.tasks[w] : ""}, {"begin", begin}});
        begin += input.windows[w].size();
    }
    return documents;
}

RoutingTrace empty_trace(const RecordRoutingInput& input, const Provenance& origin) {
    const ModelSource& source = input.model.source();
    RoutingTrace trace;
    trace.router = input.model.config().router;
    Sha256 probe;
    for (const auto& window : input.windows) {
        require_known_ids(window, input.model.config().vocab_size);
        probe.update(std::as_bytes(std::span(window)));
        trace.token_id.insert(trace.token_id.end(), window.begin(), window.end());
    }
    if (trace.token_id.empty()) {
        throw Error(ErrorCode::DataEmpty, "The probe has no token.", "Give a longer text.");
    }
    trace.logit_tokens =
        std::min(input.logit_tokens, static_cast<std::int64_t>(trace.token_id.size()));
    trace.origin = {{"model_hash", source.hash()},
                    {"base_hash", origin.base_hash},
                    {"probe_hash", probe.hex()},
                    {"engine", "native"},
                    {"dtype", "F32"},
                    {"documents", documents_of(input)}};
    if (const auto files = source.tokenizer_files()) {
        Sha256 tokenizer;
        const std::string text = files->tokenizer.dump();
        tokenizer.update(std::as_bytes(std::span(text)));
        trace.origin["tokenizer_hash"] = tokenizer.hex();
    }
    return trace;
}

}  // namespace

RoutingTrace record_routing(const RecordRoutingInput& input, std::stop_token stop) {
    NativeModel& model = input.model;
    const Provenance origin = provenance_of(model.source());
    RoutingTrace trace = empty_trace(input, origin);
    LayerwisePass pass(model, input.windows);
    for (std::size_t index = 0; index < model.config().layers.size(); ++index) {
        RoutingRecorder recorder;
        pass.run_layer(
            index, [&](std::size_t) { return &recorder; }, stop);
        if (input.streams_layers) model.transformer().release_layer(index);
        const auto layer = static_cast<std::int64_t>(index);
        if (model.config().layers[index].feed_forward == FeedForwardKind::Dense) continue;
        const auto& ids = origin.expert_map.at(index);
        for (const std::int32_t id : ids) {
            trace.router.num_experts = std::max<std::int64_t>(trace.router.num_experts, id + 1);
        }
        trace.layers[layer] =
            LayerRecorder(model.config().router, ids)
                .record(recorder.layer(layer), static_cast<std::size_t>(trace.logit_tokens));
    }
    return trace;
}

RoutingTrace record_routing(NativeModel& model, std::span<const EvaluationText> texts,
                            const PerplexityOptions& options, std::stop_token stop) {
    std::vector<std::vector<std::int32_t>> windows;
    std::vector<std::string> tasks;
    for (const EvaluationText& text : texts) {
        const std::int64_t bos = options.bos_token < 0 ? text.bos : options.bos_token;
        for (const ScoredWindow& window :
             cut_windows(static_cast<std::int64_t>(text.ids.size()), options)) {
            windows.push_back(window_tokens(text.ids, window, bos));
            tasks.push_back(text.name);
        }
    }
    return record_routing({.model = model, .windows = windows, .tasks = tasks}, std::move(stop));
}

Json trace_report(const RoutingTrace& base, const RoutingTrace& current, const Json& limits) {
    RoutingReportInput report;
    report.probe_hash = base.origin.value("probe_hash", "");
    report.reference = base.origin.value("model_hash", "");
    report.layers = compare_traces(base, current);
    report.limits = limits;
    for (const auto& [index, layer] : current.layers) {
        const bool is_cut = layer.expert_ids.size() < base.layers.at(index).expert_ids.size();
        if (is_cut) report.change = RoutingChange::Pruning;
    }
    return routing_report(report);
}

}  // namespace espalier
