#include <algorithm>
#include <fmt/format.h>

#include "base/error.h"
#include "prune/channel_plan.h"

namespace espalier {
namespace {

constexpr int kVersion = 1;
constexpr std::int64_t kMaxWidth = std::int64_t{1} << 20;
constexpr std::int64_t kMaxLayer = 65'535;
constexpr std::string_view kDigits = "0123456789abcdef";

Error malformed(std::string_view source, const std::string& what) {
    return Error(ErrorCode::FileMalformed, fmt::format("{}: {}", source, what),
                 "Use a plan that `select --unit channels` wrote.");
}

std::string to_text(const std::vector<std::int32_t>& channels, std::int64_t width) {
    std::vector<unsigned> nibbles(static_cast<std::size_t>((width + 3) / 4), 0);
    for (const std::int32_t c : channels) nibbles[static_cast<std::size_t>(c / 4)] |= 1U << (c % 4);
    std::string text;
    for (const unsigned nibble : nibbles) text += kDigits[nibble];
    return text;
}

std::vector<std::int32_t> channels_of(const std::string& text, const ChannelPlan& plan,
                                      std::string_view source) {
    if (static_cast<std::int64_t>(text.size()) != (plan.width + 3) / 4) {
        throw malformed(source,
                        fmt::format("{} digits stand for {} channels.", text.size(), plan.width));
    }
    std::vector<std::int32_t> channels;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const std::size_t nibble = kDigits.find(text[i]);
        if (nibble == std::string_view::npos) {
            throw malformed(source, fmt::format("\"{}\" is no hexadecimal digit.", text[i]));
        }
        for (std::size_t bit = 0; bit < 4; ++bit) {
            if ((nibble >> bit & 1U) == 0) continue;
            channels.push_back(static_cast<std::int32_t>(4 * i + bit));
        }
    }
    if (static_cast<std::int64_t>(channels.size()) != plan.kept ||
        (!channels.empty() && channels.back() >= plan.width)) {
        throw malformed(source, fmt::format("an expert keeps {} channels, {} of {} were expected.",
                                            channels.size(), plan.kept, plan.width));
    }
    return channels;
}

}  // namespace

Json to_json(const ChannelPlan& plan) {
    Json layers = Json::array();
    for (const auto& [index, experts] : plan.layers) {
        Json texts = Json::array();
        for (const auto& channels : experts) texts.push_back(to_text(channels, plan.width));
        layers.push_back({{"layer", index}, {"experts", std::move(texts)}});
    }
    return {{"version", kVersion},           {"unit", "channels"},
            {"model_hash", plan.model_hash}, {"stats_hash", plan.stats_hash},
            {"width", plan.width},           {"kept", plan.kept},
            {"layers", std::move(layers)},   {"reasons", plan.reasons}};
}

ChannelPlan channel_plan_from_json(const Json& json, std::string_view source) {
    ChannelPlan plan;
    try {
        if (json.at("version") != kVersion || json.at("unit") != "channels") {
            throw malformed(source, "it is no plan of channels that this version knows.");
        }
        plan.model_hash = json.at("model_hash").get<std::string>();
        plan.stats_hash = json.at("stats_hash").get<std::string>();
        plan.width = json.at("width").get<std::int64_t>();
        plan.kept = json.at("kept").get<std::int64_t>();
        if (plan.width < 1 || plan.width > kMaxWidth || plan.kept < 1 || plan.kept > plan.width) {
            throw malformed(
                source, fmt::format("{} of {} channels cannot be kept.", plan.kept, plan.width));
        }
        for (const Json& layer : json.at("layers")) {
            const auto index = layer.at("layer").get<std::int64_t>();
            if (index < 0 || index > kMaxLayer || plan.layers.contains(index)) {
                throw malformed(source, fmt::format("layer {} cannot stand there.", index));
            }
            auto& experts = plan.layers[index];
            for (const Json& text : layer.at("experts")) {
                experts.push_back(channels_of(text.get<std::string>(), plan, source));
            }
        }
        plan.reasons = json.value("reasons", Json::object());
    } catch (const Json::exception& error) {
        throw malformed(source, error.what());
    }
    return plan;
}

void save_channel_plan(const ChannelPlan& plan, const std::filesystem::path& path) {
    write_json_file(path, to_json(plan));
}

ChannelPlan load_channel_plan(const std::filesystem::path& path) {
    return channel_plan_from_json(read_json_file(path), path.string());
}

}  // namespace espalier
