#pragma once

#include <filesystem>

#include "model/model_source.h"
#include "pipeline/runner.h"
#include "prune/expert_plan.h"

namespace espalier::test {

/// A recipe for the sample that needs no calibration: every second expert stays by a plan, then
/// q8_0, then two short windows of a text.
inline RunRequest sample_run(const std::filesystem::path& folder, const char* type = "q8_0") {
    const std::filesystem::path sample = ESPALIER_SAMPLE;
    const auto model = ModelSource::open(sample / "model");
    ExpertPlan plan;
    plan.model_hash = model->hash();
    for (const std::int64_t layer : model->config().moe_layers()) {
        for (std::int32_t e = 0; e < model->config().router.num_experts; e += 2) {
            plan.layers[layer].kept.push_back(e);
        }
    }
    save_expert_plan(plan, folder / "plan.json");
    RunRequest request;
    request.recipe.model = sample / "model";
    request.recipe.stages = {{"prune",
                              {{"plan_path", (folder / "plan.json").string()},
                               {"routing_tokens", 256},
                               {"repetition_tokens", 16}}},
                             {"quantize", {{"type", type}, {"routing_tokens", 256}}},
                             {"evaluate",
                              {{"files", {(sample / "heldout/cpp.txt").string()}},
                               {"context", 128},
                               {"max_windows", 2}}}};
    request.out = folder / "run";
    request.accepts_routing = kAllStages;  // the plan asks no data
    return request;
}

/// Watches nothing.
class Deaf : public RunObserver {
public:
    void on_event(const RunEvent&) override {}
};

}  // namespace espalier::test
