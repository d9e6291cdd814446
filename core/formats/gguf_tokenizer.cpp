#include "formats/gguf_tokenizer.h"

#include <algorithm>
#include <fmt/format.h>
#include <limits>
#include <numeric>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "formats/gguf_token_type.h"
#include "formats/split_rules.h"

namespace espalier {
namespace {

[[noreturn]] void throw_malformed(const std::string& what) {
    throw Error(ErrorCode::FileMalformed, fmt::format("tokenizer.json {}.", what),
                "Download the tokenizer again.");
}

[[noreturn]] void throw_inexpressible(const std::string& what) {
    throw Error(ErrorCode::GgufInexpressible,
                fmt::format("The tokenizer {}; GGUF has no words for it.", what),
                "Keep the model as a hub folder, or export it with another tokenizer.");
}

/// Null if absent or of JSON's null.
const Json* member(const Json& object, const char* key) {
    if (!object.is_object()) return nullptr;
    const auto found = object.find(key);
    return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::string text_or_empty(const Json& object, const char* key) {
    const Json* value = member(object, key);
    return value && value->is_string() ? value->get<std::string>() : std::string();
}

bool flag(const Json& object, const char* key) {
    const Json* value = member(object, key);
    return value && value->is_boolean() && value->get<bool>();
}

/// Everything that is said of each id.
struct TokenTable {
    std::vector<std::string> texts;
    std::vector<std::int32_t> types;

    void set(const std::string& text, const Json& id, GgufTokenType type) {
        if (!id.is_number_integer() || id.get<std::int64_t>() < 0) {
            throw_malformed(fmt::format("gives the token \"{}\" no valid id", text));
        }
        const auto index = id.get<std::uint64_t>();
        if (index >= texts.size()) {
            throw Error(
                ErrorCode::ArchConfig,
                fmt::format("The tokenizer gives \"{}\" the id {}, but the embedding has only "
                            "{} rows.",
                            text, index, texts.size()),
                "The tokenizer belongs to another model.");
        }
        texts[index] = text;
        types[index] = static_cast<std::int32_t>(type);
    }

    std::optional<std::uint32_t> find(std::string_view text) const {
        const auto found = std::find(texts.begin(), texts.end(), text);
        if (text.empty() || found == texts.end()) return std::nullopt;
        return static_cast<std::uint32_t>(found - texts.begin());
    }
};

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

TokenTable read_tokens(const Json& tokenizer, const Json& model, std::int64_t vocab_size) {
    const Json* vocab = member(model, "vocab");
    if (!vocab || !vocab->is_object()) throw_malformed("has no vocabulary");
    TokenTable table;
    table.texts.reserve(static_cast<std::size_t>(vocab_size));
    for (std::int64_t id = 0; id < vocab_size; ++id)
        table.texts.push_back(fmt::format("[PAD{}]", id));
    table.types.assign(table.texts.size(), static_cast<std::int32_t>(GgufTokenType::Unused));

    const bool has_byte_tokens = flag(model, "byte_fallback");
    for (const auto& [text, id] : vocab->items()) {
        const bool is_byte = has_byte_tokens && is_byte_token(text);
        table.set(text, id, is_byte ? GgufTokenType::Byte : GgufTokenType::Normal);
    }
    if (const Json* added = member(tokenizer, "added_tokens"); added && added->is_array()) {
        for (const Json& token : *added) {
            const Json* id = member(token, "id");
            const std::string content = text_or_empty(token, "content");
            if (!id || content.empty()) throw_malformed("has an added token without id or content");
            const bool is_control = flag(token, "special") || looks_special(content);
            table.set(content, *id,
                      is_control ? GgufTokenType::Control : GgufTokenType::UserDefined);
        }
    }
    return table;
}

using Merge = std::pair<std::string, std::string>;

std::vector<Merge> read_merges(const Json& model) {
    const Json* list = member(model, "merges");
    if (!list || !list->is_array()) throw_malformed("has no list of merges");
    std::vector<Merge> merges;
    merges.reserve(list->size());
    for (const Json& item : *list) {
        if (item.is_array() && item.size() == 2 && item[0].is_string() && item[1].is_string()) {
            merges.emplace_back(item[0].get<std::string>(), item[1].get<std::string>());
            continue;
        }
        const std::string text = item.is_string() ? item.get<std::string>() : std::string();
        const std::size_t space = text.find(' ');
        if (space == std::string::npos) throw_malformed("has a merge that is not a pair");
        merges.emplace_back(text.substr(0, space), text.substr(space + 1));
    }
    return merges;
}

/// Special tokens that the post-processor puts around a text: TemplateProcessing, alone or in a
/// sequence.
struct Surroundings {
    std::vector<std::string> before;
    std::vector<std::string> after;
};

Surroundings read_surroundings(const Json* processor) {
    Surroundings result;
    if (!processor) return result;
    if (text_or_empty(*processor, "type") == "Sequence") {
        const Json* members = member(*processor, "processors");
        for (const Json& part : members && members->is_array() ? *members : Json::array()) {
            if (text_or_empty(part, "type") == "TemplateProcessing")
                return read_surroundings(&part);
        }
        return result;
    }
    const Json* single = member(*processor, "single");
    bool is_after = false;
    for (const Json& part : single && single->is_array() ? *single : Json::array()) {
        if (member(part, "Sequence")) is_after = true;
        if (const Json* token = member(part, "SpecialToken")) {
            (is_after ? result.after : result.before).push_back(text_or_empty(*token, "id"));
        }
    }
    return result;
}

/// "<s>" or {"content": "<s>"} of tokenizer_config.json.
std::string special_token(const Json& config, const char* key) {
    const Json* value = member(config, key);
    if (!value) return {};
    return value->is_string() ? value->get<std::string>() : text_or_empty(*value, "content");
}

void add_special_ids(GgufMetadata& metadata, const TokenizerFiles& files, const TokenTable& table) {
    const std::pair<const char*, const char*> kIds[] = {
        {"bos_token", "tokenizer.ggml.bos_token_id"},
        {"eos_token", "tokenizer.ggml.eos_token_id"},
        {"unk_token", "tokenizer.ggml.unknown_token_id"},
        {"pad_token", "tokenizer.ggml.padding_token_id"},
    };
    for (const auto& [field, key] : kIds) {
        if (const auto id = table.find(special_token(files.config, field))) metadata.set(key, *id);
    }
}

/// Whether the tokenizer adds BOS and EOS, by what its post-processor does.
void add_surroundings(GgufMetadata& metadata, const TokenizerFiles& files,
                      const TokenTable& table) {
    const Surroundings around = read_surroundings(member(files.tokenizer, "post_processor"));
    const auto adds = [&](const std::vector<std::string>& tokens, const std::string& key) {
        if (tokens.empty()) return false;
        const auto id = table.find(tokens.front());
        if (!id) throw_malformed(fmt::format("adds \"{}\", which is no token", tokens.front()));
        if (!metadata.find(key)) metadata.set(key, *id);
        const bool is_expressible = tokens.size() == 1 && metadata.integer(key) == *id;
        if (!is_expressible) {
            log("formats").warn(
                "The tokenizer puts more than BOS and EOS around a text; the GGUF file "
                "cannot say so, and llama.cpp will leave it out.");
        }
        return is_expressible;
    };
    const bool adds_bos = adds(around.before, "tokenizer.ggml.bos_token_id");
    const bool adds_eos = adds(around.after, "tokenizer.ggml.eos_token_id");
    metadata.set("tokenizer.ggml.add_bos_token", adds_bos);
    metadata.set("tokenizer.ggml.add_eos_token", adds_eos);
}

void add_token_table(GgufMetadata& metadata, TokenTable table) {
    metadata.set("tokenizer.ggml.tokens", GgufArray(std::move(table.texts)));
    metadata.set("tokenizer.ggml.token_type", GgufArray(std::move(table.types)));
}

/// True for NFC, false for no normalisation at all. @throws Error GgufInexpressible for any other
bool is_nfc(const Json* normalizer) {
    if (!normalizer) return false;
    const std::string type = text_or_empty(*normalizer, "type");
    if (type == "NFC") return true;
    const Json* members = member(*normalizer, "normalizers");
    if (type == "Sequence" && members && members->is_array()) {
        if (members->empty()) return false;
        if (members->size() == 1) return is_nfc(&members->front());
    }
    throw_inexpressible(fmt::format("normalises text by \"{}\"", type));
}

void add_byte_level(GgufMetadata& metadata, const TokenizerFiles& files, const Json& model,
                    TokenTable table) {
    const Json* pre_tokenizer = member(files.tokenizer, "pre_tokenizer");
    const bool ignore_merges = flag(model, "ignore_merges");
    const SplitRule* rule =
        pre_tokenizer ? find_split_rule(*pre_tokenizer, ignore_merges) : nullptr;
    if (!rule) throw_inexpressible("splits text by a rule that llama.cpp has no name for");
    if (rule->ignore_merges != ignore_merges) {
        log("formats").warn(
            "llama.cpp's split rule {} treats whole words unlike this tokenizer: rare "
            "words may get other ids there.",
            rule->names.front());
    }
    const bool normalizes = is_nfc(member(files.tokenizer, "normalizer"));
    std::vector<std::string> merges;
    for (const auto& [left, right] : read_merges(model)) {
        if ((left + right).find(' ') != std::string::npos) {
            throw_inexpressible(
                fmt::format("has a space inside the merge of \"{}\"", left + right));
        }
        merges.push_back(fmt::format("{} {}", left, right));
    }
    metadata.set("tokenizer.ggml.model", std::string("gpt2"));
    metadata.set("tokenizer.ggml.pre", std::string(rule->names.front()));
    add_special_ids(metadata, files, table);
    add_surroundings(metadata, files, table);
    add_token_table(metadata, std::move(table));
    metadata.set("tokenizer.ggml.merges", GgufArray(std::move(merges)));
    if (normalizes) metadata.set("tokenizer.ggml.normalizer.nfc", true);
}

/// Sentencepiece merges the pair whose piece has the highest score, so scores fall with the rank of
/// the first merge that makes a piece; pieces that no merge makes come last.
std::vector<float> scores_by_merges(const TokenTable& table, const std::vector<Merge>& merges) {
    std::unordered_map<std::string, std::size_t> rank_of;
    for (std::size_t rank = 0; rank < merges.size(); ++rank) {
        rank_of.try_emplace(merges[rank].first + merges[rank].second, rank);
    }
    std::vector<std::pair<std::size_t, std::size_t>> order;  // rank, id
    for (std::size_t id = 0; id < table.texts.size(); ++id) {
        if (table.types[id] != static_cast<std::int32_t>(GgufTokenType::Normal)) continue;
        const auto found = rank_of.find(table.texts[id]);
        order.emplace_back(found == rank_of.end() ? merges.size() : found->second, id);
    }
    std::sort(order.begin(), order.end());
    std::vector<float> scores(table.texts.size(), 0.0F);
    for (std::size_t i = 0; i < order.size(); ++i) scores[order[i].second] = -static_cast<float>(i);
    return scores;
}

/// True if a blank is put in front of every text. @throws Error GgufInexpressible unless blanks
/// become U+2581, as in sentencepiece
bool adds_space_prefix(const Json& tokenizer) {
    constexpr std::string_view kBlank = "\u2581";
    const Json* pre_tokenizer = member(tokenizer, "pre_tokenizer");
    const Json* normalizer = member(tokenizer, "normalizer");
    if (!normalizer && pre_tokenizer && text_or_empty(*pre_tokenizer, "type") == "Metaspace") {
        const std::string scheme = text_or_empty(*pre_tokenizer, "prepend_scheme");
        return scheme.empty() ? flag(*pre_tokenizer, "add_prefix_space") : scheme != "never";
    }
    if (!normalizer) throw_inexpressible("keeps blanks as they are");
    bool has_prefix = false;
    bool has_blank = false;
    const Json* list = member(*normalizer, "normalizers");
    for (const Json& part : list && list->is_array() ? *list : Json::array({*normalizer})) {
        const std::string type = text_or_empty(part, "type");
        if (type == "Prepend" && text_or_empty(part, "prepend") == kBlank) {
            has_prefix = true;
        } else if (type == "Replace" && text_or_empty(part, "content") == kBlank) {
            has_blank = true;
        } else {
            throw_inexpressible(fmt::format("normalises text by \"{}\"", type));
        }
    }
    if (!has_blank) throw_inexpressible("keeps blanks as they are");
    return has_prefix;
}

void add_sentencepiece(GgufMetadata& metadata, const TokenizerFiles& files, const Json& model,
                       TokenTable table) {
    const bool has_prefix = adds_space_prefix(files.tokenizer);
    std::vector<float> scores = scores_by_merges(table, read_merges(model));
    metadata.set("tokenizer.ggml.model", std::string("llama"));
    metadata.set("tokenizer.ggml.pre", std::string("default"));
    add_special_ids(metadata, files, table);
    if (const auto unknown = table.find(text_or_empty(model, "unk_token"))) {
        table.types[*unknown] = static_cast<std::int32_t>(GgufTokenType::Unknown);
        scores[*unknown] = 0.0F;
        metadata.set("tokenizer.ggml.unknown_token_id", *unknown);
    }
    add_surroundings(metadata, files, table);
    metadata.set("tokenizer.ggml.add_sep_token", false);
    metadata.set("tokenizer.ggml.add_space_prefix", has_prefix);
    metadata.set("tokenizer.ggml.scores", GgufArray(std::move(scores)));
    add_token_table(metadata, std::move(table));
}

}  // namespace

void add_gguf_tokenizer(GgufMetadata& metadata, const TokenizerFiles& files,
                        std::int64_t vocab_size) {
    const Json* model = member(files.tokenizer, "model");
    if (!model) throw_malformed("has no model");
    // Old files leave the type out where there are merges.
    const std::string type = text_or_empty(*model, "type");
    if (type != "BPE" && !(type.empty() && member(*model, "merges"))) {
        throw_inexpressible(fmt::format("is of the kind \"{}\"", type));
    }
    if (!text_or_empty(*model, "continuing_subword_prefix").empty() ||
        !text_or_empty(*model, "end_of_word_suffix").empty()) {
        throw_inexpressible("marks the parts of a word");
    }
    TokenTable table = read_tokens(files.tokenizer, *model, vocab_size);
    if (flag(*model, "byte_fallback")) {
        add_sentencepiece(metadata, files, *model, std::move(table));
    } else {
        add_byte_level(metadata, files, *model, std::move(table));
    }
    if (!files.chat_template.empty()) metadata.set("tokenizer.chat_template", files.chat_template);
}

void add_gguf_special_ids(GgufMetadata& metadata, const Json& model_config) {
    const auto set_if_open = [&](const char* key, const Json& id) {
        if (!id.is_number_integer() || id.get<std::int64_t>() < 0) return;
        const auto value = id.get<std::uint64_t>();
        if (value > std::numeric_limits<std::uint32_t>::max() || metadata.find(key)) return;
        metadata.set(key, static_cast<std::uint32_t>(value));
    };
    if (const Json* id = member(model_config, "bos_token_id")) {
        set_if_open("tokenizer.ggml.bos_token_id", *id);
    }
    if (const Json* id = member(model_config, "pad_token_id")) {
        set_if_open("tokenizer.ggml.padding_token_id", *id);
    }
    const Json* eos = member(model_config, "eos_token_id");
    if (!eos) return;
    const Json ends = eos->is_array() ? *eos : Json::array({*eos});
    for (const Json& id : ends) {
        set_if_open("tokenizer.ggml.eos_token_id", id);
        if (id.is_number_integer() && metadata.integer("tokenizer.ggml.eos_token_id") != id) {
            set_if_open("tokenizer.ggml.eot_token_id", id);
        }
    }
}

}  // namespace espalier
