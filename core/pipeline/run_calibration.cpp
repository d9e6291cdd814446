#include "pipeline/run_calibration.h"

#include "base/error.h"
#include "pipeline/calibrate_until_stable.h"

namespace espalier {
namespace {

/// Of the progress, while the model writes.
constexpr double kWritingShare = 0.1;

CalibrateResult measure(const CalibrateRequest& request, double stable_share,
                        const CalibrateSinks& sinks, const std::stop_token& stop) {
    if (stable_share > 0) return calibrate_until_stable(request, stable_share, sinks, stop);
    return calibrate(request, sinks, stop);
}

}  // namespace

std::filesystem::path own_text_file(const std::filesystem::path& stats) {
    return stats.parent_path() / (stats.stem().string() + ".own.json");
}

CalibrateResult run_calibration(const CalibrationRun& run, const CalibrateSinks& sinks,
                                const std::stop_token& stop) {
    validate(run.own_text);
    if (run.own_text.share == 0) return measure(run.request, run.stable_share, sinks, stop);
    validate(run.request);
    if (run.request.shard_count > 1) {
        throw Error(ErrorCode::UsageInvalid,
                    "Calibration: each shard would let the model write other texts.",
                    "Calibrate in one go, or leave the model's own text away.");
    }
    OwnTextOptions own_text = run.own_text;
    own_text.num_threads = run.request.num_threads;
    CalibrateSinks later = sinks;
    if (sinks.progress) {
        own_text.progress = [&](double share) {
            sinks.progress(kWritingShare * share, "the model writes texts of its own");
        };
        later.progress = [&](double share, const std::string& text) {
            sinks.progress(kWritingShare + (1 - kWritingShare) * share, text);
        };
    }
    CalibrateRequest request = run.request;
    request.own_text = own_text_file(request.out);
    write_own_text(run.request, own_text, request.own_text, stop);
    return measure(request, run.stable_share, later, stop);
}

}  // namespace espalier
