#include <algorithm>
#include <fmt/format.h>

#include "base/log.h"
#include "formats/file_error.h"
#include "model/families/family_readers.h"
#include "model/families/hub_fields.h"

namespace espalier {
namespace {

/// Published configs have it, and never another value.
void require_every_layer(ConfigReader& reader) {
    const std::int64_t step = reader.integer_or("moe_layer_freq", 1);
    if (step != 1) reader.unknown(fmt::format("moe_layer_freq is {}, Espalier knows 1 only", step));
}

void read_group_limit(ConfigReader& reader, RouterConfig& router) {
    const std::int64_t groups = reader.integer_or("n_group", 1);
    const std::int64_t top = reader.integer_or("topk_group", 1);
    const std::string method = reader.text_or({"topk_method"}, "greedy");
    if (method == "group_limited_greedy") {
        router.num_groups = std::max<std::int64_t>(groups, 1);
        router.top_groups = std::max<std::int64_t>(top, 1);
    } else if (method != "greedy") {
        reader.unknown(fmt::format("the topk_method {} is not known", in_quotes(method)));
    }
}

}  // namespace

MoeConfig read_deepseek_v2(ConfigReader& reader) {
    const HubDefaults defaults;
    MoeConfig config = read_sizes(reader, defaults);
    read_latent_attention(reader, config, defaults);
    require_every_layer(reader);
    config.router.num_experts = reader.integer({"n_routed_experts", "num_local_experts"});
    config.router.scale = reader.number_or("routed_scaling_factor", 1.0);
    config.router.normalises_top_k = false;
    if (reader.flag_or("norm_topk_prob", false)) {
        log("model").warn(
            "norm_topk_prob is true: as in transformers, it means nothing to deepseek_v2");
    }
    reader.require_text("scoring_func", "softmax");
    read_group_limit(reader, config.router);
    config.moe_intermediate_size = reader.integer("moe_intermediate_size");
    config.shared_expert.width =
        reader.integer_or("n_shared_experts", 2) * config.moe_intermediate_size;
    set_leading_dense_layers(reader, config, reader.integer_or("first_k_dense_replace", 0));
    return config;
}

MoeConfig read_deepseek_v3(ConfigReader& reader) {
    const HubDefaults defaults;
    MoeConfig config = read_sizes(reader, defaults);
    read_latent_attention(reader, config, defaults);
    require_every_layer(reader);
    read_sigmoid_moe(reader, config);
    set_leading_dense_layers(reader, config, reader.integer_or("first_k_dense_replace", 3));
    return config;
}

}  // namespace espalier
