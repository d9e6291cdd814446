#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <stop_token>
#include <thread>

#include "pipeline/events.h"
#include "pipeline/recipe.h"

namespace espalier {

struct RunRequest {
    Recipe recipe;
    std::filesystem::path out;
    bool resumes = false;
    std::size_t num_threads = 0;
    std::uint64_t memory_budget = 0;
    std::filesystem::path library;  ///< database to index the run in; empty = none
};

/// Runs a recipe on the calling thread; the last event is RunFinished. Returns its outcome; throws nothing.
RunOutcome run_recipe(const RunRequest& request, RunObserver& observer, std::stop_token stop);

/// The same on its own thread. Destruction stops and joins.
class Runner {
public:
    explicit Runner(RunObserver& observer);
    void start(RunRequest request);
    void request_stop();
    bool is_running() const noexcept;

private:
    RunObserver& observer_;
    std::atomic<bool> running_{false};
    std::jthread thread_;
};

}  // namespace espalier
