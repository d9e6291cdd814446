#include "formats/split_rules.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "formats/tokenizer_json.h"

namespace espalier {
namespace {

constexpr std::string_view kGpt2 =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S"
    ")|\\s+";
constexpr std::string_view kQwen2 =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p"
    "{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
constexpr std::string_view kLlama3 =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^"
    "\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
constexpr std::string_view kGpt4o =
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\"
    "p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p"
    "{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m"
    "|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!"
    "\\S)|\\s+";
constexpr std::string_view kDeepseekV3Numbers = "\\p{N}{1,3}";
constexpr std::string_view kDeepseekV3Cjk = "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+";
constexpr std::string_view kDeepseekV3Rest =
    "[!\\\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}"
    "\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)"
    "|\\s+";
constexpr std::string_view kDeepseekLlmNewlines = "[\\r\\n]";
constexpr std::string_view kDeepseekLlmLetters =
    "\\s?[A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-"
    "\u0293\u0295-\u02af\u0370-\u0373\u0376\u0377\u037b-\u037d\u037f\u0386\u0388-"
    "\u038a\u038c\u038e-\u03a1\u03a3-\u03f5\u03f7-\u0481\u048a-\u052f\u0531-"
    "\u0556\u10a0-\u10c5\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba\u1cbd-\u1cbf"
    "\u1d00-\u1d2b\u1d6b-\u1d77\u1d79-\u1d9a\u1e00-\u1f15\u1f18-\u1f1d\u1f20-"
    "\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d\u1f5f-\u1f7d\u1f80-\u1fb4"
    "\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb"
    "\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc\u2102\u2107\u210a-\u2113\u2115\u2119"
    "-\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-\u2134\u2139\u213c-\u213f\u2145"
    "-\u2149\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-\u2cee\u2cf2\u2cf3"
    "\ua640-\ua66d\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e\uab70-"
    "\uabbf\ufb00-\ufb06\ufb13-\ufb17\uff21-\uff3a\uff41-\uff5a\U00010400-"
    "\U0001044f\U000104b0-\U000104d3\U000104d8-\U000104fb\U00010c80-\U00010cb2"
    "\U00010cc0-\U00010cf2\U000118a0-\U000118df\U0001e900-\U0001e943]+";
constexpr std::string_view kDeepseekLlmPunctuation =
    "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+";
constexpr std::string_view kDeepseekLlmTrailing = "\\s+$";
constexpr std::string_view kDeepseekLlmCjk = "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+";

constexpr std::array<std::string_view, 4> kGpt2Names{"gpt-2", "olmo", "phi-2", "mellum"};
constexpr std::array<std::string_view, 4> kQwen2Names{"qwen2", "stablelm2", "deepseek-r1-qwen",
                                                      "hunyuan"};
constexpr std::array<std::string_view, 4> kLlama3Names{"llama-bpe", "llama3", "llama-v3",
                                                       "falcon3"};
constexpr std::array<std::string_view, 4> kGlm4Names{"glm4", "chatglm-bpe", "smaug-bpe", "dbrx"};
constexpr std::array<std::string_view, 2> kGpt4oNames{"gpt-4o", "llama4"};
constexpr std::array<std::string_view, 1> kDeepseekV3Names{"deepseek-v3"};
constexpr std::array<std::string_view, 1> kDeepseekLlmNames{"deepseek-llm"};

constexpr std::array<std::string_view, 1> kQwen2Steps{kQwen2};
constexpr std::array<std::string_view, 1> kLlama3Steps{kLlama3};
constexpr std::array<std::string_view, 1> kGpt4oSteps{kGpt4o};
constexpr std::array<std::string_view, 3> kDeepseekV3Steps{kDeepseekV3Numbers, kDeepseekV3Cjk,
                                                           kDeepseekV3Rest};
constexpr std::array<std::string_view, 6> kDeepseekLlmSteps{
    kDeepseekLlmNewlines, kDeepseekLlmLetters, kDeepseekLlmPunctuation,
    kDeepseekLlmTrailing, kDeepseekLlmCjk,     kIndividualDigits};

constexpr std::array<SplitRule, 7> kRules{{
    {kGpt2Names, {}, false},
    {kQwen2Names, kQwen2Steps, false},
    {kLlama3Names, kLlama3Steps, true},
    {kGlm4Names, kLlama3Steps, false},
    {kGpt4oNames, kGpt4oSteps, false},
    {kDeepseekV3Names, kDeepseekV3Steps, false},
    {kDeepseekLlmNames, kDeepseekLlmSteps, false},
}};

bool is_true(const Json& object, const char* key, bool fallback) {
    const auto found = object.find(key);
    return found != object.end() && found->is_boolean() ? found->get<bool>() : fallback;
}

/// The step that one member of the pre-tokenizer's sequence is; nothing if it is of another kind.
std::optional<std::string> step_of(const Json& member) {
    const std::string type = json_text(member, "type");
    if (type == "Digits" && is_true(member, "individual_digits", false)) {
        return std::string(kIndividualDigits);
    }
    const auto pattern = member.find("pattern");
    if (type != "Split" || pattern == member.end() || !pattern->is_object()) return std::nullopt;
    if (json_text(member, "behavior") != "Isolated" || is_true(member, "invert", false)) {
        return std::nullopt;
    }
    return json_text(*pattern, "Regex");
}

/// Steps before the closing ByteLevel; nothing if the pre-tokenizer is of another kind.
std::optional<std::vector<std::string>> steps_of(const Json& pre_tokenizer) {
    std::vector<Json> members;
    if (json_text(pre_tokenizer, "type") == "Sequence") {
        const auto list = pre_tokenizer.find("pretokenizers");
        if (list == pre_tokenizer.end() || !list->is_array()) return std::nullopt;
        members.assign(list->begin(), list->end());
    } else {
        members.push_back(pre_tokenizer);
    }
    if (members.empty() || json_text(members.back(), "type") != "ByteLevel" ||
        is_true(members.back(), "add_prefix_space", true)) {
        return std::nullopt;
    }
    std::vector<std::string> steps;
    for (std::size_t i = 0; i + 1 < members.size(); ++i) {
        auto step = step_of(members[i]);
        if (!step) return std::nullopt;
        steps.push_back(std::move(*step));
    }
    if (is_true(members.back(), "use_regex", true)) steps.emplace_back(kGpt2);
    if (steps.size() == 1 && steps.front() == kGpt2) steps.clear();
    return steps;
}

}  // namespace

const SplitRule* find_split_rule(std::string_view name) noexcept {
    for (const SplitRule& rule : kRules) {
        if (std::find(rule.names.begin(), rule.names.end(), name) != rule.names.end()) return &rule;
    }
    return nullptr;
}

const SplitRule* find_split_rule(const Json& pre_tokenizer, bool ignore_merges) {
    if (!pre_tokenizer.is_object()) return nullptr;
    const auto steps = steps_of(pre_tokenizer);
    if (!steps) return nullptr;
    const SplitRule* same_split = nullptr;
    for (const SplitRule& rule : kRules) {
        if (!std::equal(rule.steps.begin(), rule.steps.end(), steps->begin(), steps->end()))
            continue;
        if (rule.ignore_merges == ignore_merges) return &rule;
        same_split = &rule;
    }
    return same_split;
}

Json pre_tokenizer_json(const SplitRule& rule) {
    Json byte_level{{"type", "ByteLevel"},
                    {"add_prefix_space", false},
                    {"trim_offsets", true},
                    {"use_regex", rule.steps.empty()}};
    if (rule.steps.empty()) return byte_level;
    Json members = Json::array();
    for (const std::string_view step : rule.steps) {
        if (step == kIndividualDigits) {
            members.push_back({{"type", "Digits"}, {"individual_digits", true}});
            continue;
        }
        members.push_back({{"type", "Split"},
                           {"pattern", {{"Regex", step}}},
                           {"behavior", "Isolated"},
                           {"invert", false}});
    }
    members.push_back(std::move(byte_level));
    return {{"type", "Sequence"}, {"pretokenizers", std::move(members)}};
}

}  // namespace espalier
