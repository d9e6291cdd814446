#include "pipeline/stage.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <list>
#include <mutex>
#include <utility>

#include "base/error.h"
#include "base/torch_library.h"
#include "pipeline/builtin_stages.h"

namespace espalier {
namespace {

// Stages that the torch module registers when it is opened.
constexpr std::array<std::string_view, 1> kTorchStages{"calibrate"};

/// A list, so that references stay valid while the torch module adds its own.
struct Registry {
    std::mutex mutex;
    std::list<Stage> stages = builtin_stages();

    const Stage* find(std::string_view name) {
        const std::scoped_lock lock(mutex);
        const auto found = std::find_if(stages.begin(), stages.end(),
                                        [&](const Stage& stage) { return stage.name == name; });
        return found == stages.end() ? nullptr : &*found;
    }
};

Registry& registry() {
    static Registry instance;
    return instance;
}

}  // namespace

void register_stage(Stage stage) {
    const std::scoped_lock lock(registry().mutex);
    auto& stages = registry().stages;
    const auto found = std::find_if(stages.begin(), stages.end(),
                                    [&](const Stage& known) { return known.name == stage.name; });
    if (found == stages.end()) {
        stages.push_back(std::move(stage));
    } else {
        *found = std::move(stage);
    }
}

const Stage& find_stage(std::string_view name) {
    if (const Stage* stage = registry().find(name)) return *stage;
    if (std::find(kTorchStages.begin(), kTorchStages.end(), name) != kTorchStages.end()) {
        open_torch_library();
        if (const Stage* stage = registry().find(name)) return *stage;
        throw Error(ErrorCode::RunModule,
                    fmt::format("The learning module does not have the stage \"{}\".", name),
                    "Install the program and its learning module in the same version.");
    }
    throw Error(ErrorCode::RunRecipe, fmt::format("There is no stage \"{}\".", name),
                fmt::format("The stages are: {}.", fmt::join(stage_names(), ", ")));
}

std::vector<std::string> stage_names() {
    const std::scoped_lock lock(registry().mutex);
    std::vector<std::string> names(kTorchStages.begin(), kTorchStages.end());
    for (const Stage& stage : registry().stages) {
        if (std::find(names.begin(), names.end(), stage.name) == names.end()) {
            names.push_back(stage.name);
        }
    }
    return names;
}

}  // namespace espalier
