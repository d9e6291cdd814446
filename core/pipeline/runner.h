#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <stop_token>
#include <thread>

#include "base/error.h"
#include "base/json.h"
#include "pipeline/events.h"
#include "pipeline/recipe.h"

namespace espalier {

inline constexpr std::size_t kAllStages = std::numeric_limits<std::size_t>::max();

struct RunRequest {
    Recipe recipe;
    std::filesystem::path out;
    bool resumes = false;
    std::size_t num_threads = 0;
    std::uint64_t memory_budget = 0;
    std::filesystem::path library;  ///< database to index the run in; empty = none
    /// Of the first so many stages it is accepted that their routing fails its limits; their
    /// records say so from then on.
    std::size_t accepts_routing = 0;
};

/// A stage's routing failed its limits, and what would build on it waits for somebody to accept
/// that. The run can be resumed.
class RoutingHeld : public Error {
public:
    using Error::Error;
};

/// Runs a recipe on the calling thread and returns its report. Reports everything but RunFinished.
/// @throws RoutingHeld, Error, Cancelled; the run folder can be resumed after any
Json execute_recipe(const RunRequest& request, RunObserver& observer, std::stop_token stop);

/// The same for whoever only watches: the last event is RunFinished, nothing is thrown.
RunOutcome run_recipe(const RunRequest& request, RunObserver& observer, std::stop_token stop);

/// run_recipe() on its own thread, one run at a time. Destruction stops and joins.
class Runner {
public:
    /// @param observer must outlive the runner
    explicit Runner(RunObserver& observer);

    /// @throws Error UsageInvalid while a run is going on
    void start(RunRequest request);
    void request_stop();
    /// False from the moment at which RunFinished is reported.
    bool is_running() const noexcept;

private:
    RunObserver& observer_;
    std::atomic<bool> running_{false};
    std::jthread thread_;
};

}  // namespace espalier
