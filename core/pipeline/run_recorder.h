#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>

#include "base/json.h"
#include "pipeline/events.h"
#include "store/library.h"

namespace espalier {

/// Stands between a run and its observer: gives a stage's progress its place in the run, holds it
/// from going back, and writes metrics and routing into the library. A library that fails is given
/// up with a warning: it is an index, the run folder has everything.
class RunRecorder : public RunObserver {
public:
    /// @param library database path; empty = none
    RunRecorder(RunObserver& next, const std::filesystem::path& library, RunRecord run);

    void begin_stage(std::size_t index, std::size_t count, const std::string& stage);
    /// @param record the stage's stage.json
    void finish_stage(std::size_t index, const std::string& stage, const Json& record);
    void finish_run(const std::string& state, const Json& report);

    void on_event(const RunEvent& event) override;

private:
    template <typename Work>
    void record(Work&& work);

    RunObserver& next_;
    RunRecord run_;
    std::unique_ptr<Library> library_;
    std::size_t index_ = 0;
    std::string stage_;
    double fraction_ = 0;
};

}  // namespace espalier
