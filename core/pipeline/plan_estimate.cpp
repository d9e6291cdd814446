#include "pipeline/plan_estimate.h"

#include <algorithm>
#include <fmt/format.h>
#include <system_error>

#include "base/error.h"
#include "base/size_text.h"
#include "base/thread_pool.h"
#include "calib/calibration_memory.h"
#include "calib/own_text.h"
#include "calib/worker_memory.h"
#include "eval/mask_probe.h"
#include "eval/repetition.h"
#include "pipeline/evaluate_stage.h"
#include "pipeline/measured_selection.h"
#include "pipeline/prune_stage.h"
#include "pipeline/quantize_stage.h"
#include "prune/expert_plan.h"
#include "quant/quant_plan.h"
#include "routing/criterion.h"

namespace espalier {
namespace fs = std::filesystem;
namespace {

// Rates of one core of a common machine: for a time that is right within a factor of three.
constexpr double kForwardFlops = 12e9;             ///< float32 products of a forward pass, a second
constexpr double kGeneratedParameters = 8e9;       ///< read a token at a time, a second, all cores
constexpr double kDiskBytes = 300e6;               ///< reading, writing and fsync, a second
constexpr double kEncodedWeights = 4e6;            ///< K-quants with their searches, a second
constexpr double kStageSeconds = 0.5;              ///< opening and hashing
constexpr double kBytesPerToken = 3.0;             ///< of text
constexpr std::uint64_t kBaseBytes = 64ULL << 20;  ///< the program with its buffers
constexpr std::uint64_t kHeaderBytes = 1U << 20;   ///< JSON and padding beside the weights

/// Walks the stages; knows the newest model as it will be.
class Estimator {
public:
    Estimator(const ModelSource& model, std::size_t num_threads)
        : original_(model.config()),
          config_(model.config()),
          threads_(static_cast<double>(num_threads == 0 ? num_physical_cores() : num_threads)) {
        for (const NamedTensor& tensor : model.stored_tensors()) {
            const std::uint64_t bytes = tensor.view.bytes.size();
            bytes_ += bytes;
            const auto key = model.role_of(tensor.name);
            if (key && scales_with_experts(key->role)) expert_bytes_ += bytes;
        }
        if (const auto files = model.tokenizer_files()) {
            companion_bytes_ = files->tokenizer.dump().size() + kHeaderBytes;
        }
    }

    std::uint64_t bytes() const noexcept { return bytes_; }
    std::int64_t num_experts() const noexcept { return config_.router.num_experts; }

    StageEstimate add(const StageEntry& entry, const Recipe& recipe) {
        StageEstimate estimate;
        if (entry.stage == "calibrate") estimate = calibrate(entry.config, recipe);
        if (entry.stage == "prune") estimate = prune(entry.config);
        if (entry.stage == "quantize") estimate = quantize(entry.config);
        if (entry.stage == "evaluate") estimate = evaluate(entry.config);
        estimate.stage = entry.stage;
        estimate.seconds += kStageSeconds;
        return estimate;
    }

private:
    static bool scales_with_experts(TensorRole role) {
        return is_expert_role(role) || is_router_role(role);
    }

    double forward_seconds(double tokens) const {
        const auto active = static_cast<double>(count_parameters(config_).active);
        return 2 * active * tokens / (kForwardFlops * threads_);
    }

    StageEstimate calibrate(const Json& config, const Recipe& recipe) {
        double tokens = 0;
        for (const DataSource& source : recipe.data) {
            std::error_code missing;
            const auto size = fs::file_size(source.path, missing);
            if (!missing) tokens += static_cast<double>(size) / kBytesPerToken;
        }
        const auto budget = config.value("tokens", std::int64_t{1'000'000});
        // Before any text is chosen, the budget stands for it.
        if (recipe.data.empty()) tokens = static_cast<double>(budget);
        if (budget > 0) tokens = std::min(tokens, static_cast<double>(budget));

        const auto hidden = static_cast<std::uint64_t>(config_.hidden_size);
        const auto width = static_cast<std::uint64_t>(config_.moe_intermediate_size);
        const auto experts = static_cast<std::uint64_t>(config_.router.num_experts);
        const auto routed = static_cast<std::uint64_t>(config_.moe_layers().size());
        StageEstimate estimate;
        // Vectors in float32; pairs, histograms and sums in 8 bytes.
        estimate.output_bytes =
            routed * experts * (4 * (2 * hidden + width) + 8 * (experts + 64)) + kHeaderBytes;
        estimate.scratch_bytes = static_cast<std::uint64_t>(tokens) * hidden * 4 * 2;
        // Weights are used as they lie in the mapped file, but for the few types that need copies.
        const auto stats = StatChoice::parse(config.value("stats", std::string()));
        const TokenExtent extent = extent_of(config.value("context", std::int64_t{2048}));
        estimate.peak_bytes = kProgramBytes + static_cast<std::uint64_t>(threads_) *
                                                  worker_bytes(config_, extent, stats);
        estimate.seconds = forward_seconds(tokens);
        calibration_ = estimate;
        if (config.value("own_text_share", 0.0) > 0) {
            const double seconds = config.value("own_text_seconds", 0.0);
            estimate.seconds += seconds > 0 ? seconds : estimate.seconds * kOwnTextTime;
        }
        return estimate;
    }

    std::int64_t kept_of(const PruneConfig& config) const {
        if (config.plan_path.empty())
            return keep_target(config).kept_of(config_.router.num_experts);
        const ExpertPlan plan = load_expert_plan(config.plan_path);
        if (plan.layers.empty()) return config_.router.num_experts;
        return static_cast<std::int64_t>(plan.layers.begin()->second.kept.size());
    }

    StageEstimate prune(const Json& json) {
        const auto config = config_from_json<PruneConfig>(json, "prune");
        const std::int64_t kept = kept_of(config);
        const std::uint64_t bytes_before = bytes_;
        const auto before = static_cast<std::uint64_t>(config_.router.num_experts);
        // Every expert has the same size, so this is exact.
        const std::uint64_t cut = expert_bytes_ / before * static_cast<std::uint64_t>(kept);
        bytes_ = bytes_ - expert_bytes_ + cut;
        expert_bytes_ = cut;
        config_.router.num_experts = kept;
        StageEstimate estimate;
        estimate.output_bytes = bytes_ + companion_bytes_;
        estimate.peak_bytes = kBaseBytes;
        estimate.seconds = 2 * static_cast<double>(bytes_) / kDiskBytes;
        if (config.plan_path.empty() && config.criterion == kMeasuredSelection) {
            // Before the search begins every criterion's choice is measured on two parts of the
            // texts, the best of them on all; afterwards all on others.
            const auto tries = static_cast<double>(criteria().size());
            const auto tokens = static_cast<double>(config.search_tokens);
            const double part = std::min(tokens, 2.0 * static_cast<double>(kSearchPartTokens));
            estimate.seconds +=
                config.search_seconds + forward_seconds(2 * tries * part + 4 * tokens);
            estimate.peak_bytes += search_bytes(original_, config.search_tokens);
        }
        if (config.plan_path.empty() && config.sequential) add_second_calibration(estimate);
        for (const std::uint64_t bytes : {bytes_before, bytes_}) {
            if (!is_larger_than_memory(bytes)) add_texts(config.repetition_tokens, estimate);
        }
        add_routing(config.routing_tokens, estimate);
        return estimate;
    }

    /// Every layer runs as it is and as it becomes.
    void add_second_calibration(StageEstimate& estimate) const {
        const auto layers = static_cast<std::uint64_t>(original_.moe_layers().size());
        estimate.seconds += 2 * calibration_.seconds;
        estimate.scratch_bytes += calibration_.scratch_bytes + calibration_.output_bytes;
        estimate.peak_bytes =
            std::max(estimate.peak_bytes, calibration_.peak_bytes + expert_bytes_ / layers);
    }

    StageEstimate quantize(const Json& json) {
        const auto config = config_from_json<QuantizeConfig>(json, "quantize");
        const QuantPlan plan = plan_quantization(config_, config.type, {.has_importance = true});
        bytes_ = plan.total_bytes();
        expert_bytes_ = 0;
        for (const PlannedTensor& tensor : plan.tensors) {
            if (!scales_with_experts(tensor.key.role)) continue;
            expert_bytes_ += tensor_bytes(tensor.spec.dtype, tensor.spec.shape).value_or(0);
        }
        StageEstimate estimate;
        estimate.output_bytes = bytes_ + companion_bytes_;
        estimate.peak_bytes = kBaseBytes + companion_bytes_;
        estimate.seconds =
            static_cast<double>(count_parameters(config_).total) / (kEncodedWeights * threads_) +
            2 * static_cast<double>(bytes_) / kDiskBytes;
        add_routing(config.routing_tokens, estimate);
        return estimate;
    }

    /// What a model that fits into memory writes to see whether it repeats itself.
    void add_texts(std::int64_t tokens, StageEstimate& estimate) const {
        const auto written = static_cast<double>(tokens) * static_cast<double>(kRepetitionTexts);
        estimate.seconds +=
            written * static_cast<double>(count_parameters(config_).active) / kGeneratedParameters;
    }

    /// The comparison of routing: the original, the result, the result on the original's inputs,
    /// and what the removed experts gave; hidden states of both.
    void add_routing(std::int64_t tokens, StageEstimate& estimate) const {
        estimate.seconds += 4 * forward_seconds(static_cast<double>(tokens));
        estimate.peak_bytes +=
            2 * static_cast<std::uint64_t>(tokens * config_.hidden_size) * sizeof(float);
    }

    StageEstimate evaluate(const Json& json) const {
        const auto config = config_from_json<EvaluateConfig>(json, "evaluate");
        double tokens = 0;
        for (const std::string& file : config.files) {
            std::error_code missing;
            const auto size = fs::file_size(file, missing);
            double here = missing ? 0 : static_cast<double>(size) / kBytesPerToken;
            if (config.max_windows > 0) {
                here = std::min(here, static_cast<double>(config.max_windows * config.context));
            }
            tokens += here;
        }
        StageEstimate estimate;
        estimate.peak_bytes = kBaseBytes;
        estimate.seconds = 2 * forward_seconds(tokens);  // original and result
        return estimate;
    }

    MoeConfig original_;
    MoeConfig config_;  ///< after the stages so far
    double threads_;
    std::uint64_t bytes_ = 0;         ///< of all tensors
    std::uint64_t expert_bytes_ = 0;  ///< of those with one part an expert
    std::uint64_t companion_bytes_ = kHeaderBytes;
    StageEstimate calibration_;  ///< of the stage before, if there is one
};

}  // namespace

PlanEstimate estimate_plan(const Recipe& recipe, const ModelSource& model,
                           std::size_t num_threads) {
    Estimator estimator(model, num_threads);
    PlanEstimate plan;
    plan.experts_before = estimator.num_experts();
    plan.original_bytes = estimator.bytes();
    plan.result_bytes = estimator.bytes();
    std::uint64_t kept = 0;
    for (const StageEntry& entry : recipe.stages) {
        const StageEstimate stage = estimator.add(entry, recipe);
        kept += stage.output_bytes;
        plan.disk_bytes = std::max(plan.disk_bytes, kept + stage.scratch_bytes);
        plan.peak_bytes = std::max(plan.peak_bytes, stage.peak_bytes);
        plan.seconds += stage.seconds;
        if (entry.stage == "prune" || entry.stage == "quantize") {
            plan.result_bytes = stage.output_bytes;
        }
        plan.stages.push_back(stage);
    }
    plan.experts_after = estimator.num_experts();
    return plan;
}

void require_disk_space(const PlanEstimate& estimate, std::size_t first_stage,
                        const fs::path& folder) {
    std::uint64_t kept = 0;
    std::uint64_t needed = 0;
    for (std::size_t i = first_stage; i < estimate.stages.size(); ++i) {
        kept += estimate.stages[i].output_bytes;
        needed = std::max(needed, kept + estimate.stages[i].scratch_bytes);
    }
    const std::uint64_t available = fs::space(folder).available;
    if (needed <= available) return;
    throw Error(ErrorCode::DiskFull,
                fmt::format("Not enough disk space: this run needs about {} and {} has {} free.",
                            size_text(needed), folder.string(), size_text(available)),
                fmt::format("Free {} or choose another folder.", size_text(needed - available)));
}

}  // namespace espalier
