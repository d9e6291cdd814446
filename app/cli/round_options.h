#pragma once

#include <filesystem>
#include <string>

#include <CLI/CLI.hpp>

#include "app/cli/select_options.h"
#include "app/cli/session.h"
#include "pipeline/progressive_prune.h"

namespace espalier::cli {

/// The options of `prune` that make it go in rounds.
struct RoundOptions {
    RoundSchedule schedule;

    void add_to(CLI::App& command);
    /// True if any of them was given.
    bool is_asked() const;
    /// @param folder where the rounds are recorded
    ProgressiveResult run(const SelectionOptions& selection, const ModelSource& model,
                          const std::filesystem::path& folder, const Session& session) const;

private:
    const CLI::App* command_ = nullptr;
};

}  // namespace espalier::cli
