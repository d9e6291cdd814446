#include "pipeline/stage.h"

#include <algorithm>
#include <fmt/format.h>
#include <list>
#include <mutex>
#include <utility>

#include "base/error.h"
#include "pipeline/builtin_stages.h"

namespace espalier {
namespace {

/// A list, so that references stay valid while others are added.
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
    throw Error(ErrorCode::RunRecipe, fmt::format("There is no stage \"{}\".", name),
                fmt::format("The stages are: {}.", fmt::join(stage_names(), ", ")));
}

std::vector<std::string> stage_names() {
    const std::scoped_lock lock(registry().mutex);
    std::vector<std::string> names;
    for (const Stage& stage : registry().stages) names.push_back(stage.name);
    return names;
}

}  // namespace espalier
