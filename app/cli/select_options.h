#pragma once

#include <string>

#include <CLI/CLI.hpp>

#include "model/model_source.h"
#include "prune/expert_plan.h"
#include "prune/select_experts.h"

namespace espalier::cli {

/// The options of `select`, which `prune` has too.
struct SelectionOptions {
    std::string stats;
    std::string keep;
    bool protects_nothing = false;
    SelectOptions select;

    void add_to(CLI::App& command);
    ExpertPlan choose(const ModelSource& model) const;
};

}  // namespace espalier::cli
