#include "formats/tokenizer_json.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/error.h"
#include "formats/file_error.h"
#include "formats/gguf_token_type.h"

namespace espalier {
namespace {

/// Puts a token in its place.
void set_token(TokenTable& table, const std::string& text, const Json& id, GgufTokenType type) {
    if (!id.is_number_integer() || id.get<std::int64_t>() < 0) {
        throw_malformed_tokenizer(fmt::format("gives the token {} no valid id", in_quotes(text)));
    }
    const auto index = id.get<std::uint64_t>();
    if (index >= table.texts.size()) {
        throw Error(
            ErrorCode::ArchConfig,
            fmt::format("The tokenizer gives {} the id {}, but the embedding has only {} rows.",
                        in_quotes(text), index, table.texts.size()),
            "The tokenizer belongs to another model.");
    }
    table.texts[index] = text;
    table.types[index] = static_cast<std::int32_t>(type);
}

bool is_byte_token(std::string_view text) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    return text.size() == 6 && text.starts_with("<0x") && text.back() == '>' &&
           kHex.find(text[3]) != std::string_view::npos &&
           kHex.find(text[4]) != std::string_view::npos;
}

/// Chat and infilling marks are control tokens to llama.cpp's converter even where tokenizer.json
/// does not call them special; as ordinary text they would be shown to the user.
bool looks_special(std::string_view text) {
    const auto is_between = [text](std::string_view begin, std::string_view end) {
        return text.starts_with(begin) && text.ends_with(end);
    };
    return is_between("<|", "|>") || is_between("<\uff5c", "\uff5c>") ||
           is_between("<unused", ">") || text == "<pad>" || text == "<mask>";
}

}  // namespace

const Json* json_member(const Json& object, const char* key) {
    if (!object.is_object()) return nullptr;
    const auto found = object.find(key);
    return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::string json_text(const Json& object, const char* key) {
    const Json* value = json_member(object, key);
    return value && value->is_string() ? value->get<std::string>() : std::string();
}

bool json_flag(const Json& object, const char* key) {
    const Json* value = json_member(object, key);
    return value && value->is_boolean() && value->get<bool>();
}

void throw_malformed_tokenizer(const std::string& what) {
    throw Error(ErrorCode::FileMalformed, fmt::format("tokenizer.json {}.", what),
                "Download the tokenizer again.");
}

std::optional<std::uint32_t> TokenTable::find(std::string_view text) const {
    const auto found = std::find(texts.begin(), texts.end(), text);
    if (text.empty() || found == texts.end()) return std::nullopt;
    return static_cast<std::uint32_t>(found - texts.begin());
}

TokenTable read_token_table(const Json& tokenizer, std::int64_t vocab_size) {
    const Json* model = json_member(tokenizer, "model");
    const Json* vocab = model ? json_member(*model, "vocab") : nullptr;
    if (!vocab || !vocab->is_object()) throw_malformed_tokenizer("has no vocabulary");
    TokenTable table;
    table.texts.reserve(static_cast<std::size_t>(vocab_size));
    for (std::int64_t id = 0; id < vocab_size; ++id)
        table.texts.push_back(fmt::format("[PAD{}]", id));
    table.types.assign(table.texts.size(), static_cast<std::int32_t>(GgufTokenType::Unused));

    const bool has_byte_tokens = json_flag(*model, "byte_fallback");
    for (const auto& [text, id] : vocab->items()) {
        const bool is_byte = has_byte_tokens && is_byte_token(text);
        set_token(table, text, id, is_byte ? GgufTokenType::Byte : GgufTokenType::Normal);
    }
    if (const Json* added = json_member(tokenizer, "added_tokens"); added && added->is_array()) {
        for (const Json& token : *added) {
            const Json* id = json_member(token, "id");
            const std::string content = json_text(token, "content");
            if (!id || content.empty())
                throw_malformed_tokenizer("has an added token without id or content");
            const bool is_control = json_flag(token, "special") || looks_special(content);
            set_token(table, content, *id,
                      is_control ? GgufTokenType::Control : GgufTokenType::UserDefined);
        }
    }
    return table;
}

std::vector<TokenMerge> read_merges(const Json& model) {
    const Json* list = json_member(model, "merges");
    if (!list || !list->is_array()) throw_malformed_tokenizer("has no list of merges");
    std::vector<TokenMerge> merges;
    merges.reserve(list->size());
    for (const Json& item : *list) {
        if (item.is_array() && item.size() == 2 && item[0].is_string() && item[1].is_string()) {
            merges.emplace_back(item[0].get<std::string>(), item[1].get<std::string>());
            continue;
        }
        const std::string text = item.is_string() ? item.get<std::string>() : std::string();
        const std::size_t space = text.find(' ');
        if (space == std::string::npos) throw_malformed_tokenizer("has a merge that is not a pair");
        merges.emplace_back(text.substr(0, space), text.substr(space + 1));
    }
    return merges;
}

Surroundings read_surroundings(const Json* processor) {
    Surroundings result;
    if (!processor) return result;
    if (json_text(*processor, "type") == "Sequence") {
        const Json* members = json_member(*processor, "processors");
        for (const Json& part : members && members->is_array() ? *members : Json::array()) {
            if (json_text(part, "type") == "TemplateProcessing") return read_surroundings(&part);
        }
        return result;
    }
    const Json* single = json_member(*processor, "single");
    bool is_after = false;
    for (const Json& part : single && single->is_array() ? *single : Json::array()) {
        if (json_member(part, "Sequence")) is_after = true;
        if (const Json* token = json_member(part, "SpecialToken")) {
            (is_after ? result.after : result.before).push_back(json_text(*token, "id"));
        }
    }
    return result;
}

std::string special_token(const Json& config, const char* key) {
    const Json* value = json_member(config, key);
    if (!value) return {};
    return value->is_string() ? value->get<std::string>() : json_text(*value, "content");
}

}  // namespace espalier
