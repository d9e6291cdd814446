#include <array>
#include <cmath>
#include <fmt/format.h>

#include "formats/file_error.h"
#include "model/families/hub_fields.h"

namespace espalier {
namespace {

/// By how much Yarn sharpens attention that is spread over a longer text, arXiv 2309.00071 3.4.
double yarn_stretch(double factor, double m) {
    return factor > 1.0 ? 0.1 * m * std::log(factor) + 1.0 : 1.0;
}

std::int64_t read_original_context(ConfigReader& reader, std::int64_t context_length) {
    const std::int64_t original =
        reader.integer_or("original_max_position_embeddings", context_length);
    if (original < 1) reader.contradiction("original_max_position_embeddings is below 1");
    return original;
}

void read_yarn(ConfigReader& reader, std::int64_t context_length, HubRope& result) {
    RopeScaling& scaling = result.rope.scaling;
    scaling.kind = RopeScalingKind::Yarn;
    scaling.original_context = read_original_context(reader, context_length);
    scaling.factor = reader.number_or("factor", static_cast<double>(context_length) /
                                                    static_cast<double>(scaling.original_context));
    scaling.beta_fast = reader.number_or("beta_fast", 32.0);
    scaling.beta_slow = reader.number_or("beta_slow", 1.0);
    scaling.truncate = reader.flag_or("truncate", true);
    const double mscale = reader.number_or("mscale", 0.0);
    result.mscale_all_dim = reader.number_or("mscale_all_dim", 0.0);
    const bool has_both = mscale != 0.0 && result.mscale_all_dim != 0.0;
    const double meant = has_both ? yarn_stretch(scaling.factor, mscale) /
                                        yarn_stretch(scaling.factor, result.mscale_all_dim)
                                  : yarn_stretch(scaling.factor, 1.0);
    result.rope.attention_factor = reader.number_or("attention_factor", meant);
}

void read_scaling(ConfigReader& reader, std::int64_t context_length, HubRope& result) {
    const std::string kind = reader.text_or({"rope_type", "type"}, "default");
    RopeScaling& scaling = result.rope.scaling;
    if (kind == "linear") {
        scaling.kind = RopeScalingKind::Linear;
        scaling.factor = reader.number_or("factor", 1.0);
    } else if (kind == "yarn") {
        read_yarn(reader, context_length, result);
    } else if (kind == "llama3") {
        scaling.kind = RopeScalingKind::Llama3;
        scaling.factor = reader.number_or("factor", 1.0);
        scaling.original_context = read_original_context(reader, context_length);
        scaling.low_freq_factor = reader.number_or("low_freq_factor", 1.0);
        scaling.high_freq_factor = reader.number_or("high_freq_factor", 4.0);
    } else if (kind != "default") {
        reader.unknown(fmt::format("RoPE scaling of the kind {} is not known", in_quotes(kind)));
    }
}

/// Positions of images; those of text are the same in every section.
constexpr std::array<std::string_view, 2> kIgnored{"mrope_section", "mrope_interleaved"};

}  // namespace

HubRope read_rope(ConfigReader& reader, std::int64_t head_dim, const HubDefaults& defaults) {
    HubRope result;
    double theta = reader.number_or("rope_theta", defaults.rope_theta);
    double rotated = reader.number_or("partial_rotary_factor", defaults.partial_rotary_factor);
    for (const auto key : {"rope_scaling", "rope_parameters"}) {
        const Json* object = reader.find(key);
        if (!object) continue;
        if (!object->is_object()) reader.contradiction(fmt::format("{} is not an object", key));
        ConfigReader inner(*object, fmt::format("{}, {}", reader.source(), key));
        read_scaling(inner, reader.integer("max_position_embeddings"), result);
        const double inner_theta = inner.number_or("rope_theta", theta);
        const double inner_rotated = inner.number_or("partial_rotary_factor", rotated);
        if ((reader.find("rope_theta") && inner_theta != theta) ||
            (reader.find("partial_rotary_factor") && inner_rotated != rotated)) {
            inner.contradiction("it contradicts the field of the same name outside");
        }
        theta = inner_theta;
        rotated = inner_rotated;
        inner.refuse_unread(kIgnored);
    }
    if (!(rotated > 0.0 && rotated <= 1.0)) {
        reader.contradiction(fmt::format("partial_rotary_factor is {}", rotated));
    }
    result.rope.theta = theta;
    result.rope.rotated_dims = static_cast<std::int64_t>(static_cast<double>(head_dim) * rotated);
    return result;
}

}  // namespace espalier
