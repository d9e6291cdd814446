#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "base/json.h"

namespace espalier {

struct StageStarted {
    std::size_t index = 0;  ///< in the recipe
    std::size_t count = 0;
    std::string stage;
};

/// `fraction` never goes back within a stage.
struct StageProgress {
    std::size_t index = 0;
    double fraction = 0;  ///< 0 to 1 of this stage
    std::string now;      ///< "layer 3 of 6"
};

/// One layer's routing as calibration or evaluation measured it.
struct LayerMeasured {
    std::int64_t layer = 0;
    std::vector<double> load;        ///< share of selections per expert
    std::vector<double> saliency;    ///< per expert, by the recipe's criterion
    std::vector<std::int32_t> kept;  ///< ids that stay, once a plan says so; empty = not decided
};

struct MetricMeasured {
    std::string name;  ///< "perplexity.python", "kl"
    double value = 0;
};

struct LogLine {
    std::string level;  ///< "info", "warn", "error"
    std::string text;
};

struct StageFinished {
    std::size_t index = 0;
    std::string stage;
    double seconds = 0;
    std::uint64_t peak_bytes = 0;
    Json metrics = Json::object();
    Json routing = Json::object();  ///< against the original, see routing_report.h
};

/// Held: see RoutingHeld.
enum class RunOutcome { Finished, Held, Stopped, Failed };

struct RunFinished {
    RunOutcome outcome = RunOutcome::Finished;
    std::string message;           ///< for Held: what failed; for Failed: the sentence and the hint
    std::string code;              ///< for Held and Failed: "E-DISK-01"
    Json result = Json::object();  ///< {path, bytes, sha256}
};

using RunEvent = std::variant<StageStarted, StageProgress, LayerMeasured, MetricMeasured, LogLine,
                              StageFinished, RunFinished>;

/// Receives everything a run has to say. Called on the worker thread; must not block.
class RunObserver {
public:
    virtual ~RunObserver() = default;
    virtual void on_event(const RunEvent& event) = 0;
};

}  // namespace espalier
