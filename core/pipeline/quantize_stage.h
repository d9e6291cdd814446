#pragma once

#include <cstdint>
#include <string>

#include "pipeline/config_fields.h"
#include "pipeline/stage.h"

namespace espalier {

/// Writes one GGUF file of fewer bits a weight.
struct QuantizeConfig {
    std::string type = "q4_k_m";
    bool uses_stats = true;
    std::int64_t routing_tokens = 4096;
    std::string limits_file = {};
    bool operator==(const QuantizeConfig&) const = default;
};

template <MaybeConst<QuantizeConfig> Config, typename Visitor>
void visit_fields(Config& config, Visitor&& visit) {
    visit("type", config.type, "File type, such as q4_k_m");
    visit("uses_stats", config.uses_stats,
          "Spends precision on the columns that calibration saw used most");
    visit("routing_tokens", config.routing_tokens,
          "Tokens on which the routing is compared with the original's; 0 = not compared");
    visit("limits_file", config.limits_file, "Limits for routing in place of the project's own");
}

/// @throws Error RunRecipe
void validate(const QuantizeConfig& config);

StageOutput run_quantize(const StageContext& context, const QuantizeConfig& config);

}  // namespace espalier
