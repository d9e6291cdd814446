#include "calib/calibrate.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <fmt/format.h>
#include <string_view>
#include <utility>

#include "base/cancel.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/size_text.h"
#include "base/thread_pool.h"
#include "calib/calibration_checkpoint.h"
#include "calib/calibration_memory.h"
#include "calib/calibration_windows.h"
#include "calib/context_texts.h"
#include "calib/measure_layer.h"
#include "calib/worker_memory.h"
#include "routing/criterion.h"
#include "routing/matrix_name.h"

namespace espalier {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

/// Hidden states are kept in float32 while they fit into the page cache of a small machine, in
/// bfloat16 above. A fixed size, not the machine's: shards and repeated calls must agree.
constexpr std::uint64_t kFloat32HiddenBytes = 8ULL << 30;

/// What was asked for, and what the shown criterion is made of.
StatChoice choice_of(const CalibrateRequest& request) {
    StatChoice choice = StatChoice::parse(request.stats);
    if (const auto needed = find_criterion(request.criterion).needed) choice.add(*needed);
    return choice;
}

std::vector<MicroBatch> batches_of(const CalibrateRequest& request, const TokenWindows& windows) {
    const std::vector<MicroBatch> all = cut_micro_batches(windows);
    if (request.doubling < 0) return shard_of(all, request.shard_index, request.shard_count);
    return doubling_of(all, static_cast<std::size_t>(request.doubling));
}

[[noreturn]] void refuse(const std::string& problem, const char* hint) {
    throw Error(ErrorCode::UsageInvalid, "Calibration: " + problem, hint);
}

/// One call of calibrate().
class Calibration {
public:
    Calibration(const CalibrateRequest& request, const CalibrateSinks& sinks, std::stop_token stop)
        : request_(request),
          sinks_(sinks),
          stop_(std::move(stop)),
          source_(ModelSource::open(request.model)),
          model_hash_(source_->hash()),
          choice_(choice_of(request)),
          data_(read_calibration_windows(request, *source_)),
          tags_(data_.windows),
          batches_(batches_of(request, data_.windows)),
          memory_(plan_calibration_memory(
              *source_,
              {.budget = request.memory_budget,
               .num_threads = request.num_threads,
               .worker_bytes = worker_bytes(config(), extent_of(data_.windows, batches_), choice_),
               .shared_bytes = request.change_bytes})),
          pool_(memory_.num_threads) {
        workers_ = make_workers(*source_, request.mask);
    }

    CalibrateResult run();

private:
    const MoeConfig& config() const { return source_->config(); }
    std::int64_t num_tokens() const {
        return batches_.back().first_row + batches_.back().num_tokens;
    }
    HiddenStatesLayout hidden_layout() const;
    DType compute_dtype() const;
    Json settings() const;
    ExpertStats empty_stats() const;
    LayerPass pass(const HiddenStatesFile& input, std::int64_t step) const;
    void announce(std::int64_t next_layer);
    std::vector<std::unique_ptr<LayerWorker>> make_workers(const ModelSource& source,
                                                           const ExpertMask& mask) const;
    void do_layer(CalibrationCheckpoint& checkpoint, std::int64_t layer);
    void change_layer(std::int64_t layer, const ExpertStats& stats, const HiddenStatesFile& input,
                      HiddenStatesFile& output);
    ExpertStats assemble(const CalibrationCheckpoint& checkpoint);
    void size_samples(ExpertStats& stats) const;
    void report_progress(std::int64_t step, std::size_t batches_done) const;

    const CalibrateRequest& request_;
    const CalibrateSinks& sinks_;
    std::stop_token stop_;
    Clock::time_point start_ = Clock::now();
    PeakMemory peak_;
    std::unique_ptr<ModelSource> source_;
    std::string model_hash_;
    StatChoice choice_;
    CalibrationWindows data_;
    TokenTags tags_;
    std::vector<MicroBatch> batches_;
    CalibrationMemory memory_;
    mutable ThreadPool pool_;
    std::vector<std::unique_ptr<LayerWorker>> workers_;
};

/// Follows from the model, not from the machine: shards and repeated calls must agree.
DType Calibration::compute_dtype() const {
    if (request_.compute_dtype != "auto") return dtype_from_name(request_.compute_dtype).value();
    const std::vector<std::int64_t> layers = config().moe_layers();
    if (layers.empty()) return DType::F32;
    const auto stored =
        source_->stored({TensorRole::ExpertGate, static_cast<std::int32_t>(layers.front()), 0});
    return stored && stored->view.dtype == DType::BF16 ? DType::BF16 : DType::F32;
}

HiddenStatesLayout Calibration::hidden_layout() const {
    HiddenStatesLayout layout{
        .rows = num_tokens(), .columns = config().hidden_size, .dtype = DType::F32};
    HiddenStatesLayout whole = layout;
    whole.rows = data_.windows.num_tokens();
    const bool is_large = whole.bytes() > kFloat32HiddenBytes;
    if (request_.hidden_dtype == "BF16" || (request_.hidden_dtype == "auto" && is_large)) {
        layout.dtype = DType::BF16;
    }
    return layout;
}

Json Calibration::settings() const {
    Json json = {
        {"context", request_.context},
        {"max_tokens", request_.max_tokens},
        {"micro_batch_tokens", kMicroBatchTokens},
        {"compute_dtype", info(compute_dtype()).name},
        {"hidden_dtype", info(hidden_layout().dtype).name},
        {"propagate", request_.mask.empty() && request_.change.is_null() ? "none" : "sequential"},
        {"stats", choice_.names()},
        {"probe", request_.probe.empty()     ? "held_out"
                  : request_.probe == "none" ? "none"
                                             : "file"}};
    if (!request_.mask.empty()) json["removed"] = request_.mask.removed;
    if (!request_.mask.output_scale.empty()) json["output_scale"] = request_.mask.output_scale;
    if (!request_.own_text.empty()) json["own_tokens"] = data_.own_tokens;
    if (!request_.change.is_null()) json["change"] = request_.change;
    if (request_.shard_count > 1) {
        json["shard"] = {{"index", request_.shard_index}, {"count", request_.shard_count}};
    }
    if (request_.doubling >= 0) json["shard"] = {{"doubling", request_.doubling}};
    return json;
}

ExpertStats Calibration::empty_stats() const {
    ExpertStats stats;
    stats.model_hash = model_hash_;
    stats.tokenizer_hash = data_.tokenizer_hash;
    stats.data_hash = data_.data_hash;
    stats.num_experts = config().router.num_experts;
    stats.top_k = config().router.top_k;
    stats.tasks = data_.windows.tasks;
    stats.settings = settings();
    return stats;
}

/// The layers are steps 0 to num_layers - 1; the output matrix is one more.
void Calibration::report_progress(std::int64_t step, std::size_t batches_done) const {
    const auto steps = static_cast<double>(config().num_layers() + 1);
    const double share = static_cast<double>(batches_done) / static_cast<double>(batches_.size());
    if (!sinks_.progress) return;
    sinks_.progress((static_cast<double>(step) + share) / steps,
                    step < config().num_layers()
                        ? fmt::format("layer {} of {}", step + 1, config().num_layers())
                        : std::string("output matrix"));
}

LayerPass Calibration::pass(const HiddenStatesFile& input, std::int64_t step) const {
    return {
        .source = *source_,
        .windows = data_.windows,
        .tags = tags_,
        .batches = batches_,
        .input = input,
        .pool = pool_,
        .workers = workers_,
        .arithmetic = compute_dtype() == DType::BF16 ? Arithmetic::BFloat16 : Arithmetic::Float32,
        .keeps_experts = memory_.keeps_experts,
        .stats = choice_,
        .progress = [this, step](std::size_t done) { report_progress(step, done); },
        .stop = stop_};
}

void Calibration::announce(std::int64_t next_layer) {
    std::string text = fmt::format(
        "calibrating on {} tokens in {} windows, {} threads, in {}{}, about {} of memory",
        num_tokens(), data_.windows.windows.size(), memory_.num_threads, info(compute_dtype()).name,
        memory_.keeps_experts ? "" : ", experts decoded on use", memory_text(memory_.bytes));
    if (next_layer > 0) text += fmt::format("; going on at layer {}", next_layer);
    log("calib").info("{}", text);
}

std::vector<std::unique_ptr<LayerWorker>> Calibration::make_workers(const ModelSource& source,
                                                                    const ExpertMask& mask) const {
    std::vector<std::unique_ptr<LayerWorker>> workers;
    for (std::size_t i = 0; i < memory_.num_threads; ++i) {
        workers.push_back(std::make_unique<LayerWorker>(source));
        workers.back()->transformer.set_mask(mask);
    }
    return workers;
}

void Calibration::change_layer(std::int64_t layer, const ExpertStats& stats,
                               const HiddenStatesFile& input, HiddenStatesFile& output) {
    const LayerChange change = sinks_.change(layer, stats);
    const auto workers = make_workers(change.source ? *change.source : *source_, change.mask);
    LayerPass again = pass(input, layer);
    again.workers = workers;
    again.progress = {};  // has been told
    run_layer(again, layer, output);
}

void Calibration::do_layer(CalibrationCheckpoint& checkpoint, std::int64_t layer) {
    const HiddenStatesFile input = checkpoint.open_hidden(layer);
    HiddenStatesFile output = checkpoint.create_hidden(layer + 1);
    LayerMeasurement measured = measure_layer(pass(input, layer), layer, output);
    ExpertStats stats = empty_stats();
    if (!measured.stats.count.empty()) stats.layers[layer] = std::move(measured.stats);
    for (auto& [role, energy] : measured.energies) {
        const TensorKey key{role, static_cast<std::int32_t>(layer)};
        stats.input_energies[matrix_name(key).value()] = std::move(energy);
    }
    if (sinks_.change && stats.layers.contains(layer)) change_layer(layer, stats, input, output);
    checkpoint.save_layer(layer, stats);
    checkpoint.advance(layer + 1, std::move(output));
    if (sinks_.layer) sinks_.layer(stats);
}

/// A shard may hold none of the sampled tokens; its zeros add up with what others have.
void Calibration::size_samples(ExpertStats& stats) const {
    if (!choice_.has(OptionalStat::Profiles)) return;
    for (auto& [index, layer] : stats.layers) {
        const auto hidden = static_cast<std::size_t>(config().hidden_size);
        layer.input_sample.resize(tags_.num_samples() * hidden);
    }
}

ExpertStats Calibration::assemble(const CalibrationCheckpoint& checkpoint) {
    ExpertStats all = empty_stats();
    for (std::int64_t layer = 0; layer < config().num_layers(); ++layer) {
        ExpertStats one = checkpoint.load_layer(layer);
        all.layers.merge(one.layers);
        all.input_energies.merge(one.input_energies);
    }
    size_samples(all);
    if (choice_.has(OptionalStat::Contexts)) {
        fill_contexts(all, data_.windows, tags_, source_->tokenizer_files());
    }
    if (!choice_.has(OptionalStat::InputEnergies)) return all;
    const HiddenStatesFile last = checkpoint.open_hidden(config().num_layers());
    all.input_energies[matrix_name({TensorRole::Output}).value()] =
        measure_output_input(pass(last, config().num_layers()));
    return all;
}

CalibrateResult Calibration::run() {
    if (config().is_native()) {
        refuse("statistics have one number of experts for all layers, the model is native.",
               "Calibrate the model that it was made from.");
    }
    Json identity = settings();
    identity["model_hash"] = model_hash_;
    identity["data_hash"] = data_.data_hash;
    identity["tokenizer_hash"] = data_.tokenizer_hash;
    const fs::path folder = request_.checkpoints.empty()
                                ? fs::path(request_.out.string() + ".partial")
                                : request_.checkpoints;
    CalibrationCheckpoint checkpoint(folder, identity, hidden_layout());
    const std::int64_t resumed = std::max<std::int64_t>(0, checkpoint.next_layer());
    announce(resumed);
    if (checkpoint.next_layer() < 0) {
        HiddenStatesFile embedded = checkpoint.create_hidden(0);
        embed_windows(*workers_.front(), data_.windows, batches_, embedded, stop_);
        checkpoint.advance(0, std::move(embedded));
    }
    for (std::int64_t layer = 0; layer < resumed; ++layer) {  // for whoever watches this call
        if (sinks_.layer) sinks_.layer(checkpoint.load_layer(layer));
    }
    for (std::int64_t layer = resumed; layer < config().num_layers(); ++layer) {
        do_layer(checkpoint, layer);
    }
    const ExpertStats stats = assemble(checkpoint);
    checkpoint.finish(stats, request_.out);
    const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    Json metrics = calibration_metrics(stats, num_tokens(), seconds);
    metrics["layers_resumed"] = resumed;
    if (data_.own_tokens > 0) metrics["own_tokens"] = data_.own_tokens;
    return {.out = request_.out,
            .seconds = seconds,
            .peak_bytes = peak_.peak_anonymous_bytes(),
            .metrics = std::move(metrics)};
}

}  // namespace

Json calibration_metrics(const ExpertStats& stats, std::int64_t tokens, double seconds) {
    std::int64_t dead = 0;
    for (const auto& [index, layer] : stats.layers) {
        dead += std::count(layer.count.begin(), layer.count.end(), std::int64_t{0});
    }
    return {{"tokens", tokens},
            {"tokens_per_second", static_cast<double>(tokens) / seconds},
            {"routed_layers", stats.layers.size()},
            {"experts_never_used", dead},
            {"hidden_dtype", stats.settings.at("hidden_dtype")}};
}

void validate(const CalibrateRequest& request) {
    if (request.data.empty() == request.ids.empty()) {
        refuse(request.data.empty() ? "there is no data." : "both texts and token ids are given.",
               "Give texts or token ids, one of them.");
    }
    if (request.context < 1) refuse("the context is below 1 token.", "Use 512 or more.");
    if (request.max_tokens < 0) refuse("the token budget is negative.", "Use 0 for everything.");
    if (request.shard_count < 1 || request.shard_index < 0 ||
        request.shard_index >= request.shard_count) {
        refuse(fmt::format("there is no shard {} of {}.", request.shard_index + 1,
                           request.shard_count),
               "Number shards from 1/N to N/N.");
    }
    constexpr std::array<std::string_view, 3> kTypes{"auto", "F32", "BF16"};
    const auto is_type = [&](const std::string& name) {
        return std::find(kTypes.begin(), kTypes.end(), name) != kTypes.end();
    };
    if (!is_type(request.hidden_dtype)) {
        refuse(fmt::format("hidden states cannot be kept as {}.", request.hidden_dtype),
               "Use auto, F32 or BF16.");
    }
    if (!is_type(request.compute_dtype)) {
        refuse(fmt::format("layers cannot compute in {}.", request.compute_dtype),
               "Use auto, F32 or BF16.");
    }
    find_criterion(request.criterion);
    StatChoice::parse(request.stats);
}

CalibrateResult calibrate(const CalibrateRequest& request, const CalibrateSinks& sinks,
                          const std::stop_token& stop) {
    validate(request);
    try {
        return Calibration(request, sinks, stop).run();
    } catch (const fs::filesystem_error& error) {
        throw Error(ErrorCode::DiskWrite, fmt::format("Calibration: {}.", error.what()),
                    "Check that the output folder can be written.");
    }
}

}  // namespace espalier
