#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "pipeline/config_fields.h"
#include "pipeline/stage.h"

namespace espalier {

/// A stage from a config struct that has `visit_fields(config, visit)` and `validate(config)`, and
/// a function of the context and that config.
template <typename Config>
Stage make_stage(std::string name, double weight,
                 StageOutput (*run)(const StageContext&, const Config&)) {
    Stage stage;
    stage.name = name;
    stage.weight = weight;
    stage.validate = [name](const Json& json) { validate(config_from_json<Config>(json, name)); };
    stage.run = [name, run](const StageContext& context) {
        return run(context, config_from_json<Config>(context.entry.config, name));
    };
    const Config defaults;
    visit_fields(defaults, [&](std::string_view field, const auto& value, std::string_view text) {
        stage.fields.push_back({std::string(field), std::string(text), value});
    });
    return stage;
}

}  // namespace espalier
