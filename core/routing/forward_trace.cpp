#include "routing/forward_trace.h"

#include <fmt/format.h>
#include <span>
#include <utility>

#include "base/error.h"
#include "formats/safetensors_writer.h"

namespace espalier {
namespace {

std::string name_of(Activation what, std::int64_t index) {
    switch (what) {
        case Activation::HiddenStates:
            return fmt::format("hidden_states.{}", index);
        case Activation::AttentionOutput:
            return fmt::format("attn_out.{}", index);
        case Activation::FeedForwardOutput:
            return fmt::format("mlp_out.{}", index);
        case Activation::FinalNorm:
            return "final_norm";
        case Activation::Logits:
            return "logits";
    }
    return {};
}

template <typename To, typename From>
void append(std::vector<To>& to, std::span<const From> from) {
    to.insert(to.end(), from.begin(), from.end());
}

}  // namespace

ForwardTrace::ForwardTrace(std::vector<std::vector<std::int32_t>> ids) : ids_(std::move(ids)) {}

void ForwardTrace::on_activation(Activation what, std::int64_t index, std::span<const float> rows) {
    append(values_[name_of(what, index)], rows);
}

void ForwardTrace::on_routing(std::int64_t layer, const RoutingView& routing) {
    append(values_[fmt::format("router_logits.{}", layer)], routing.logits);
    append(values_[fmt::format("router_topk_weights.{}", layer)], routing.weights);
    append(indices_[fmt::format("router_topk_indices.{}", layer)], routing.selected);
}

void ForwardTrace::save(const std::filesystem::path& path) const {
    const auto rows = static_cast<std::int64_t>(ids_.size());
    const auto tokens = static_cast<std::int64_t>(ids_.front().size());
    const auto shape_of = [&](const std::string& name, std::size_t size) -> Shape {
        const auto count = static_cast<std::int64_t>(size);
        if (count == 0 || count % (rows * tokens) != 0) {
            throw Error(ErrorCode::VerifyFailed,
                        fmt::format("{} has {} values, no multiple of {} tokens.", name, count,
                                    rows * tokens),
                        "Report this: the engine left tokens out.");
        }
        const std::int64_t width = count / (rows * tokens);
        if (name.starts_with("router_")) return {rows * tokens, width};
        return {rows, tokens, width};
    };

    std::vector<std::int64_t> ids;
    for (const auto& row : ids_) append(ids, std::span<const std::int32_t>(row));
    std::vector<TensorSpec> specs{{"input_ids", DType::I64, {rows, tokens}}};
    for (const auto& [name, data] : values_)
        specs.push_back({name, DType::F32, shape_of(name, data.size())});
    for (const auto& [name, data] : indices_)
        specs.push_back({name, DType::I64, shape_of(name, data.size())});

    SafetensorsWriter writer(path, specs);
    writer.write("input_ids", std::as_bytes(std::span(ids)));
    for (const auto& [name, data] : values_) writer.write(name, std::as_bytes(std::span(data)));
    for (const auto& [name, data] : indices_) writer.write(name, std::as_bytes(std::span(data)));
    writer.commit();
}

}  // namespace espalier
