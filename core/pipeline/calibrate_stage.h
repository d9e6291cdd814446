#pragma once

#include <cstdint>
#include <string>

#include "pipeline/config_fields.h"
#include "pipeline/stage.h"

namespace espalier {

/// Runs the recipe's data through the model and writes routing statistics.
struct CalibrateConfig {
    std::int64_t tokens = 1'000'000;
    std::int64_t context = 2048;
    std::string probe_file;
    bool holds_out_probe = true;
    std::string hidden_dtype = "auto";
    std::string compute_dtype = "auto";
    std::string stats;
    std::string criterion = "reap";
    double stable_share = 0;
    double own_text_share = 0;
    double own_text_seconds = 0;
    bool operator==(const CalibrateConfig&) const = default;
};

template <MaybeConst<CalibrateConfig> Config, typename Visitor>
void visit_fields(Config& config, Visitor&& visit) {
    visit("tokens", config.tokens, "Tokens to measure on, shared by the data's weights; 0 = all");
    visit("context", config.context, "Tokens a window");
    visit("probe_file", config.probe_file, "A probe set that the data must not contain");
    visit("holds_out_probe", config.holds_out_probe,
          "Keeps a tenth of the documents out, as a probe set, if no file is named");
    visit("hidden_dtype", config.hidden_dtype,
          "How hidden states are kept between layers: F32, BF16, or auto");
    visit("compute_dtype", config.compute_dtype,
          "What layers compute with: F32, BF16, or auto, BF16 for experts that are stored so");
    visit(
        "stats", config.stats,
        "Statistics beside the cheap ones: coact_gram, sas, channels, profiles, all; basic: fewer");
    visit("criterion", config.criterion, "Score shown while it runs; all are kept");
    visit("stable_share", config.stable_share,
          "Ends early once the experts that REAP would keep at this share stay the same when the "
          "data doubles; 0 = reads all");
    visit("own_text_share", config.own_text_share,
          "Share of the tokens, up to 0.5, that the model writes itself, going on from the texts: "
          "they are routed as its answers are; 0 = none");
    visit("own_text_seconds", config.own_text_seconds,
          "Time for that, at most; 0 = a tenth of what calibration should take");
}

/// @throws Error RunRecipe
void validate(const CalibrateConfig& config);

StageOutput run_calibrate(const StageContext& context, const CalibrateConfig& config);

}  // namespace espalier
