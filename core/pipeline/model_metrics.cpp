#include "pipeline/model_metrics.h"

#include <string>

#include "base/log.h"
#include "model/parameter_counts.h"

namespace espalier {
namespace {

/// A part of the plan's reasons; null if it is not there. Plans come by mail: nothing is certain.
Json reason(const ExpertPlan& plan, const char* name) {
    if (!plan.reasons.is_object()) return nullptr;
    const auto found = plan.reasons.find(name);
    return found == plan.reasons.end() ? Json() : *found;
}

}  // namespace

Json metrics_of(const PruneReport& report, const ExpertPlan& plan) {
    Json metrics = {{"bytes_before", report.bytes_before},
                    {"bytes_after", report.bytes_after},
                    {"experts_before", report.experts_before},
                    {"experts_after", report.experts_after}};
    if (report.is_native) {
        metrics["experts_after_min"] = report.experts_after_min;
        metrics["constants"] = report.constants;
    }
    if (const Json mass = reason(plan, "task_mass"); mass.is_object()) {
        for (const auto& [task, share] : mass.items()) {
            metrics[task.empty() ? "mass_kept" : "mass_kept." + task] = share;
        }
    }
    metrics["dropped_tensors"] = report.dropped_tensors;
    return metrics;
}

Json metrics_of(const QuantReport& report, const MoeConfig& config) {
    const double weights = static_cast<double>(count_parameters(config).total);
    Json metrics = {{"bytes", report.bytes},
                    {"bits_per_weight", 8.0 * static_cast<double>(report.bytes) / weights},
                    {"weighted_rel_rmse", report.weighted_rel_rmse},
                    {"fallbacks", report.fallbacks.size()}};
    for (const auto& [type, bytes] : report.bytes_by_type) metrics["bytes." + type] = bytes;
    metrics["dropped_tensors"] = report.dropped_tensors;
    return metrics;
}

void log_warnings(const ExpertPlan& plan) {
    const Json warnings = reason(plan, "warnings");
    if (!warnings.is_array()) return;
    for (const Json& warning : warnings) {
        const auto text = warning.is_object() ? warning.find("text") : warning.end();
        if (text != warning.end() && text->is_string()) {
            log("prune").warn("{}", text->get<std::string>());
        }
    }
}

void log_warnings(const PruneReport& report) {
    if (report.is_native) {
        log("prune").warn("the result is native: no other program than Espalier can load it");
    }
    const auto& names = report.dropped_tensors;
    if (names.empty()) return;
    log("prune").warn(
        "{} tensors of blocks that predict further tokens, which have experts of their own, are "
        "not carried over, from {} to {}",
        names.size(), names.front(), names.back());
}

}  // namespace espalier
