#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "app/cli/session.h"
#include "data/dataset.h"
#include "model/model_source.h"
#include "pipeline/probe_windows.h"
#include "prune/expert_plan.h"
#include "prune/select_experts.h"

namespace espalier::cli {

/// What `--criterion auto` searches on, and for how long.
struct SearchOptions {
    std::vector<std::string> data;
    std::string probe;
    std::int64_t tokens = 131'072;
    double seconds = 120;
    std::int64_t tries = 0;
};

/// The options of `select`, which `prune` has too.
struct SelectionOptions {
    std::string stats;
    std::string sequential;  ///< statistics file to write; empty: all layers are chosen at once
    std::string keep;
    std::string unit = "experts";
    std::int64_t channel_multiple = 32;
    bool protects_nothing = false;
    std::string scope = "layers";
    std::string task_weights;
    std::string task_mix = "sum";
    std::vector<std::string> locked;
    std::vector<std::string> forced_out;
    SelectOptions select;
    SearchOptions search;

    void add_to(CLI::App& command);
    /// @throws Error UsageInvalid
    SelectOptions read() const;
    /// The probe that --data or --probe names. @throws Error UsageInvalid
    TokenWindows probe_windows(const ModelSource& model) const;
    /// For `auto`, of the same. @throws Error UsageInvalid
    SearchWindows search_windows(const ModelSource& model) const;
    /// The statistics that the plan is made from.
    const std::string& plan_stats() const { return sequential.empty() ? stats : sequential; }
    ExpertPlan choose(const ModelSource& model, const Session& session) const;
};

}  // namespace espalier::cli
