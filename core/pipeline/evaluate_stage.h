#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pipeline/config_fields.h"
#include "pipeline/stage.h"

namespace espalier {

/// Compares the newest model with the original on texts.
struct EvaluateConfig {
    std::vector<std::string> files;
    std::int64_t context = 512;
    std::int64_t max_windows = 0;
    std::string limits_file = {};
    bool operator==(const EvaluateConfig&) const = default;
};

template <MaybeConst<EvaluateConfig> Config, typename Visitor>
void visit_fields(Config& config, Visitor&& visit) {
    visit("files", config.files, "Texts that nothing was trained or calibrated on");
    visit("context", config.context, "Tokens a window; the second half of each is scored");
    visit("max_windows", config.max_windows, "Windows a file; 0 = all");
    visit("limits_file", config.limits_file, "Limits for routing in place of the project's own");
}

/// @throws Error RunRecipe
void validate(const EvaluateConfig& config);

StageOutput run_evaluate(const StageContext& context, const EvaluateConfig& config);

}  // namespace espalier
