#include "pipeline/calibrate_until_stable.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <fmt/format.h>
#include <optional>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file_hash.h"
#include "base/log.h"
#include "base/memory.h"
#include "calib/calibration_windows.h"
#include "prune/expert_sets.h"
#include "prune/rank_experts.h"
#include "prune/select_experts.h"
#include "routing/score_functions.h"

namespace espalier {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

ExpertIds kept_by_reap(const LayerStats& layer, std::int64_t kept) {
    ExpertIds best = rank_experts(score_reap(layer, {}), layer.count);
    best.resize(static_cast<std::size_t>(kept));
    std::sort(best.begin(), best.end());
    return best;
}

/// Of the layer in which the choice changed most.
double least_overlap(const ExpertStats& before, const ExpertStats& after, std::int64_t kept) {
    double least = 1;
    for (const auto& [index, layer] : after.layers) {
        least = std::min(
            least, jaccard(kept_by_reap(before.layers.at(index), kept), kept_by_reap(layer, kept)));
    }
    return least;
}

/// One call of calibrate_until_stable().
class Doublings {
public:
    Doublings(const CalibrateRequest& request, double share, const CalibrateSinks& sinks,
              const std::stop_token& stop)
        : request_(request), share_(share), sinks_(sinks), stop_(stop) {
        const auto source = ModelSource::open(request.model);
        kept_ = KeepTarget{.ratio = share, .experts = std::nullopt}.kept_of(
            source->config().router.num_experts);
        const CalibrationWindows data = read_calibration_windows(request, *source);
        all_tokens_ = data.windows.num_tokens();
        const auto batches = cut_micro_batches(data.windows);
        for (std::size_t i = 0; i < kDoublings; ++i) {
            const auto own = doubling_of(batches, i);
            if (own.empty()) continue;
            steps_.push_back({i, own.back().first_row + own.back().num_tokens});
        }
        folder_ = request.checkpoints.empty() ? fs::path(request.out.string() + ".doublings")
                                              : request.checkpoints;
        folder_ /= identity(data, source->hash());
    }

    CalibrateResult run() {
        const Clock::time_point start = Clock::now();
        PeakMemory peak;
        std::int64_t read = 0;
        double overlap = 0;
        std::optional<ExpertStats> all;
        for (const Step& step : steps_) {
            ExpertStats part = measure(step, read);
            read += step.tokens;
            if (!all) {
                all = std::move(part);
                continue;
            }
            ExpertStats sum = merge_expert_stats({*all, part});
            overlap = least_overlap(*all, sum, kept_);
            all = std::move(sum);
            all->settings.erase("merged_shards");  // they are parts of one measurement
            if (sinks_.layer) sinks_.layer(*all);
            log("calib").info(
                "{} of {} tokens: the choice of {} experts overlaps by {:.3f} with that "
                "of the doubling before",
                read, all_tokens_, kept_, overlap);
            if (overlap >= kStableOverlap) break;
        }
        all->settings["until_stable"] = {{"share", share_}, {"overlap", overlap}};
        save_expert_stats(*all, request_.out);
        fs::remove_all(folder_.parent_path());
        const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
        Json metrics = calibration_metrics(*all, read, seconds);
        metrics["share_read"] = static_cast<double>(read) / static_cast<double>(all_tokens_);
        metrics["stability"] = overlap;
        return {.out = request_.out,
                .seconds = seconds,
                .peak_bytes = peak.peak_anonymous_bytes(),
                .metrics = std::move(metrics)};
    }

private:
    struct Step {
        std::size_t doubling = 0;
        std::int64_t tokens = 0;
    };

    /// Of the parts that may be taken up: the same data, measured in the same way.
    std::string identity(const CalibrationWindows& data, const std::string& model_hash) const {
        const Json json{{"model", model_hash},
                        {"data", data.data_hash},
                        {"context", request_.context},
                        {"tokens", request_.max_tokens},
                        {"hidden", request_.hidden_dtype},
                        {"compute", request_.compute_dtype},
                        {"stats", request_.stats},
                        {"criterion", request_.criterion},
                        {"removed", request_.mask.removed},
                        {"output_scale", request_.mask.output_scale}};
        return sha256_of_text(json.dump()).substr(0, 16);
    }

    ExpertStats measure(const Step& step, std::int64_t read) {
        CalibrateRequest part = request_;
        part.doubling = static_cast<std::int64_t>(step.doubling);
        part.out = folder_ / fmt::format("doubling-{}.safetensors", step.doubling);
        part.checkpoints = folder_ / fmt::format("doubling-{}", step.doubling);
        if (!fs::exists(part.out)) {
            fs::create_directories(folder_);
            CalibrateSinks sinks;
            if (sinks_.progress) {
                sinks.progress = [&](double fraction, const std::string& text) {
                    const double done =
                        static_cast<double>(read) + fraction * static_cast<double>(step.tokens);
                    sinks_.progress(done / static_cast<double>(all_tokens_), text);
                };
            }
            // Later ones are shown together with what was before.
            if (read == 0) sinks.layer = sinks_.layer;
            calibrate(part, sinks, stop_);
        }
        ExpertStats stats = load_expert_stats(part.out, true);
        load_expert_contexts(part.out, stats);
        return stats;
    }

    const CalibrateRequest& request_;
    double share_;
    const CalibrateSinks& sinks_;
    const std::stop_token& stop_;
    std::int64_t kept_ = 0;
    std::int64_t all_tokens_ = 0;
    std::vector<Step> steps_;
    fs::path folder_;
};

}  // namespace

CalibrateResult calibrate_until_stable(const CalibrateRequest& request, double share,
                                       const CalibrateSinks& sinks, const std::stop_token& stop) {
    validate(request);
    if (!(share > 0 && share < 1) || request.shard_count > 1) {
        throw Error(ErrorCode::UsageInvalid,
                    "Calibration: an early end needs a share of the experts between 0 and 1, and "
                    "all shards in one.",
                    "Give the share that is to stay, e.g. 0.5, without a shard.");
    }
    return Doublings(request, share, sinks, stop).run();
}

}  // namespace espalier
