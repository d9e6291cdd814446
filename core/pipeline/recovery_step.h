#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "model/model_source.h"
#include "pipeline/events.h"
#include "prune/expert_plan.h"

namespace espalier {

/// What a recovery works on: the model as the round found it, of which the plan's experts alone
/// may be used, and the one that it should behave like.
struct RecoveryRequest {
    const ModelSource& original;
    const ModelSource& model;
    const ExpertPlan& plan;
    std::int64_t round = 0;
    std::filesystem::path folder;  ///< of the round: checkpoints and weights go here
    RunObserver& observer;
    std::stop_token stop;
};

struct RecoveryResult {
    std::filesystem::path model;  ///< what to go on with, all experts in it; empty: nothing changed
    Json metrics = Json::object();
};

/// What brings a model back between two rounds of pruning. Called again for a round that was cut
/// short, it goes on from its checkpoints.
class RecoveryStep {
public:
    virtual ~RecoveryStep() = default;
    virtual RecoveryResult recover(const RecoveryRequest& request) = 0;
};

/// Called by initialisers of the torch module. A step of the same name is replaced.
void register_recovery(std::string name, std::function<std::unique_ptr<RecoveryStep>()> make);

/// "none" changes nothing. @throws Error RunRecipe that lists what there is
std::unique_ptr<RecoveryStep> make_recovery(std::string_view name);

}  // namespace espalier
