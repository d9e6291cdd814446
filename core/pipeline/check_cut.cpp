#include "pipeline/check_cut.h"

#include <utility>

#include "base/log.h"
#include "base/thread_pool.h"
#include "eval/verify_cut.h"
#include "prune/expert_constants.h"

namespace espalier {
namespace {

/// Of logits; scaled weights are rounded once more.
constexpr double kTolerance = 1e-3;
constexpr double kScaledTolerance = 0.1;

}  // namespace

Json check_cut(const CutToCheck& cut, std::stop_token stop) {
    if (cut.plan.merges() || replaces_experts(cut.plan)) return Json::object();
    const auto written = ModelSource::open(cut.out);
    ThreadPool pool(cut.num_threads);
    const double difference =
        verify_cut({.model = cut.model,
                    .mask = cut.plan.mask(cut.model.config()),
                    .cut = *written,
                    .pool = pool,
                    .tolerance = cut.plan.scales_outputs() ? kScaledTolerance : kTolerance},
                   std::move(stop));
    log("prune").info("checked: logits differ from the masked original by {:.2g} at most",
                      difference);
    return {{"largest_logit_difference", difference}};
}

}  // namespace espalier
