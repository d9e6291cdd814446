#include <algorithm>
#include <fmt/format.h>
#include <functional>
#include <span>
#include <utility>

#include "base/json.h"
#include "formats/file_error.h"
#include "formats/safetensors_reader.h"
#include "formats/safetensors_writer.h"
#include "routing/routing_trace.h"

namespace espalier {
namespace {

constexpr int kVersion = 1;

Json router_json(const RouterConfig& router) {
    return {{"num_experts", router.num_experts},
            {"top_k", router.top_k},
            {"sigmoid", router.scoring == RouterScoring::Sigmoid},
            {"normalises_top_k", router.normalises_top_k},
            {"normalising_epsilon", router.normalising_epsilon},
            {"scale", router.scale},
            {"bias", router.has_bias},
            {"selection_bias", router.has_selection_bias},
            {"num_groups", router.num_groups},
            {"top_groups", router.top_groups},
            {"sum_of_best_two", router.group_score == GroupScore::SumOfBestTwo}};
}

RouterConfig router_from(const Json& json) {
    RouterConfig router;
    router.num_experts = json.at("num_experts");
    router.top_k = json.at("top_k");
    if (json.at("sigmoid").get<bool>()) router.scoring = RouterScoring::Sigmoid;
    router.normalises_top_k = json.at("normalises_top_k");
    router.normalising_epsilon = json.at("normalising_epsilon");
    router.scale = json.at("scale");
    router.has_bias = json.at("bias");
    router.has_selection_bias = json.at("selection_bias");
    router.num_groups = json.at("num_groups");
    router.top_groups = json.at("top_groups");
    if (json.at("sum_of_best_two").get<bool>()) router.group_score = GroupScore::SumOfBestTwo;
    return router;
}

/// Reads tensors of one shape and type each.
class TraceReader {
public:
    explicit TraceReader(const std::filesystem::path& path) : path_(path), file_(path) {}

    RoutingTrace read() const {
        const auto found = file_.metadata().find("espalier");
        if (found == file_.metadata().end()) {
            throw malformed_file(path_, "it is no routing trace (no metadata \"espalier\")");
        }
        try {
            return read(parse_json(found->second, path_.string()));
        } catch (const Json::exception& error) {
            throw malformed_file(path_, fmt::format("its header: {}", error.what()));
        }
    }

private:
    RoutingTrace read(const Json& header) const {
        if (header.at("kind") != "routing_trace" || header.at("version") != kVersion) {
            throw malformed_file(path_, "it is no routing trace of this version");
        }
        RoutingTrace trace;
        trace.router = router_from(header.at("router"));
        trace.origin = header.at("origin");
        trace.logit_tokens = header.at("logit_tokens");
        trace.token_id = tensor<std::uint32_t>("token_id", DType::U32);
        const auto tokens = static_cast<std::int64_t>(trace.token_id.size());
        if (tokens == 0 || trace.logit_tokens < 0 || trace.logit_tokens > tokens) {
            throw malformed_file(path_, "its number of tokens");
        }
        for (const Json& map : header.at("expert_map")) {
            const std::int64_t index = map.at("layer");
            trace.layers[index] = read_layer(index, map.at("ids"), trace);
        }
        return trace;
    }

    RoutingTrace::Layer read_layer(std::int64_t index, const Json& ids,
                                   const RoutingTrace& trace) const {
        RoutingTrace::Layer layer;
        layer.expert_ids = ids.get<std::vector<std::int32_t>>();
        const auto name = [index](const char* kind) { return fmt::format("{}.{}", kind, index); };
        layer.topk_id = tensor<std::uint16_t>(name("topk_id"), DType::U16);
        layer.gate_w = tensor<std::uint16_t>(name("gate_w"), DType::F16);
        layer.logits = tensor<std::uint16_t>(name("logits"), DType::F16);
        if (file_.find(name("scores")) != nullptr) {
            layer.scores = tensor<std::uint16_t>(name("scores"), DType::F16);
        }
        layer.margin = tensor<std::uint16_t>(name("margin"), DType::F16);
        require_sound(index, layer, trace);
        return layer;
    }

    void require_sound(std::int64_t index, const RoutingTrace::Layer& layer,
                       const RoutingTrace& trace) const {
        const auto& ids = layer.expert_ids;
        const bool ids_ascend =
            !ids.empty() && ids.front() >= 0 && ids.back() < trace.router.num_experts &&
            std::adjacent_find(ids.begin(), ids.end(), std::greater_equal<>()) == ids.end();
        const std::size_t tokens = trace.token_id.size();
        const std::size_t logits = static_cast<std::size_t>(trace.logit_tokens) * ids.size();
        const bool sizes_fit = layer.topk_id.size() == layer.gate_w.size() &&
                               layer.topk_id.size() % tokens == 0 &&
                               layer.margin.size() == tokens && layer.logits.size() == logits &&
                               (layer.scores.empty() || layer.scores.size() == logits);
        const bool choices_exist =
            ids_ascend && std::all_of(layer.topk_id.begin(), layer.topk_id.end(), [&](auto id) {
                return std::binary_search(ids.begin(), ids.end(), static_cast<std::int32_t>(id));
            });
        if (ids_ascend && sizes_fit && choices_exist) return;
        throw malformed_file(path_, fmt::format("layer {} does not fit its header", index));
    }

    template <typename T>
    std::vector<T> tensor(const std::string& name, DType dtype) const {
        const TensorView* view = file_.find(name);
        if (view == nullptr || view->dtype != dtype) {
            throw malformed_file(path_, fmt::format("there is no tensor {}", in_quotes(name)));
        }
        std::vector<T> values(view->bytes.size() / sizeof(T));
        std::copy(view->bytes.begin(), view->bytes.end(),
                  std::as_writable_bytes(std::span(values)).begin());
        return values;
    }

    std::filesystem::path path_;
    SafetensorsFile file_;
};

}  // namespace

void save_routing_trace(const RoutingTrace& trace, const std::filesystem::path& path) {
    const auto tokens = static_cast<std::int64_t>(trace.token_id.size());
    std::vector<TensorSpec> specs{{"token_id", DType::U32, {tokens}}};
    std::vector<std::span<const std::byte>> data{std::as_bytes(std::span(trace.token_id))};
    Json maps = Json::array();
    for (const auto& [index, layer] : trace.layers) {
        maps.push_back({{"layer", index}, {"ids", layer.expert_ids}});
        const auto add = [&, i = index](const char* kind, DType dtype,
                                        const std::vector<std::uint16_t>& values,
                                        std::int64_t rows) {
            const auto count = static_cast<std::int64_t>(values.size());
            specs.push_back(
                {fmt::format("{}.{}", kind, i), dtype, {rows, rows == 0 ? 0 : count / rows}});
            data.push_back(std::as_bytes(std::span(values)));
        };
        add("topk_id", DType::U16, layer.topk_id, tokens);
        add("gate_w", DType::F16, layer.gate_w, tokens);
        add("logits", DType::F16, layer.logits, trace.logit_tokens);
        if (!layer.scores.empty()) add("scores", DType::F16, layer.scores, trace.logit_tokens);
        add("margin", DType::F16, layer.margin, tokens);
    }
    const Json header = {{"kind", "routing_trace"},
                         {"version", kVersion},
                         {"router", router_json(trace.router)},
                         {"logit_tokens", trace.logit_tokens},
                         {"expert_map", std::move(maps)},
                         {"origin", trace.origin}};
    SafetensorsWriter writer(path, specs, {{"espalier", header.dump()}});
    for (std::size_t i = 0; i < specs.size(); ++i) writer.write(specs[i].name, data[i]);
    writer.commit();
}

RoutingTrace load_routing_trace(const std::filesystem::path& path) {
    return TraceReader(path).read();
}

}  // namespace espalier
