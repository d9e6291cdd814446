#include "formats/gguf_tokenizer.h"

#include <algorithm>
#include <fmt/format.h>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "formats/gguf_token_type.h"
#include "formats/split_rules.h"
#include "formats/tokenizer_json.h"

namespace espalier {
namespace {

[[noreturn]] void throw_inexpressible(const std::string& what) {
    throw Error(ErrorCode::GgufInexpressible,
                fmt::format("The tokenizer {}; GGUF has no words for it.", what),
                "Keep the model as a hub folder, or export it with another tokenizer.");
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
    const Surroundings around = read_surroundings(json_member(files.tokenizer, "post_processor"));
    const auto adds = [&](const std::vector<std::string>& tokens, const std::string& key) {
        if (tokens.empty()) return false;
        const auto id = table.find(tokens.front());
        if (!id)
            throw_malformed_tokenizer(
                fmt::format("adds \"{}\", which is no token", tokens.front()));
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
    const std::string type = json_text(*normalizer, "type");
    if (type == "NFC") return true;
    const Json* members = json_member(*normalizer, "normalizers");
    if (type == "Sequence" && members && members->is_array()) {
        if (members->empty()) return false;
        if (members->size() == 1) return is_nfc(&members->front());
    }
    throw_inexpressible(fmt::format("normalises text by \"{}\"", type));
}

void add_byte_level(GgufMetadata& metadata, const TokenizerFiles& files, const Json& model,
                    TokenTable table) {
    const Json* pre_tokenizer = json_member(files.tokenizer, "pre_tokenizer");
    const bool ignore_merges = json_flag(model, "ignore_merges");
    const SplitRule* rule =
        pre_tokenizer ? find_split_rule(*pre_tokenizer, ignore_merges) : nullptr;
    if (!rule) throw_inexpressible("splits text by a rule that llama.cpp has no name for");
    if (rule->ignore_merges != ignore_merges) {
        log("formats").warn(
            "llama.cpp's split rule {} treats whole words unlike this tokenizer: rare "
            "words may get other ids there.",
            rule->names.front());
    }
    const bool normalizes = is_nfc(json_member(files.tokenizer, "normalizer"));
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
std::vector<float> scores_by_merges(const TokenTable& table,
                                    const std::vector<TokenMerge>& merges) {
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
    const Json* pre_tokenizer = json_member(tokenizer, "pre_tokenizer");
    const Json* normalizer = json_member(tokenizer, "normalizer");
    if (!normalizer && pre_tokenizer && json_text(*pre_tokenizer, "type") == "Metaspace") {
        const std::string scheme = json_text(*pre_tokenizer, "prepend_scheme");
        return scheme.empty() ? json_flag(*pre_tokenizer, "add_prefix_space") : scheme != "never";
    }
    if (!normalizer) throw_inexpressible("keeps blanks as they are");
    bool has_prefix = false;
    bool has_blank = false;
    const Json* list = json_member(*normalizer, "normalizers");
    for (const Json& part : list && list->is_array() ? *list : Json::array({*normalizer})) {
        const std::string type = json_text(part, "type");
        if (type == "Prepend" && json_text(part, "prepend") == kBlank) {
            has_prefix = true;
        } else if (type == "Replace" && json_text(part, "content") == kBlank) {
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
    if (const auto unknown = table.find(json_text(model, "unk_token"))) {
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
    const Json* model = json_member(files.tokenizer, "model");
    if (!model) throw_malformed_tokenizer("has no model");
    // Old files leave the type out where there are merges.
    const std::string type = json_text(*model, "type");
    if (type != "BPE" && !(type.empty() && json_member(*model, "merges"))) {
        throw_inexpressible(fmt::format("is of the kind \"{}\"", type));
    }
    if (!json_text(*model, "continuing_subword_prefix").empty() ||
        !json_text(*model, "end_of_word_suffix").empty()) {
        throw_inexpressible("marks the parts of a word");
    }
    TokenTable table = read_token_table(files.tokenizer, vocab_size);
    if (json_flag(*model, "byte_fallback")) {
        add_sentencepiece(metadata, files, *model, std::move(table));
    } else {
        add_byte_level(metadata, files, *model, std::move(table));
    }
    if (!files.chat_template.empty()) metadata.set("tokenizer.chat_template", files.chat_template);
}

void add_gguf_special_ids(GgufMetadata& metadata, const Json& model_config) {
    /// Puts the id under the first key that is open, unless one of them has it already.
    const auto set_open = [&](const Json& id, std::initializer_list<const char*> keys) {
        if (!id.is_number_integer()) return;
        const auto value = id.get<std::int64_t>();
        if (value < 0 || value > std::numeric_limits<std::uint32_t>::max()) return;
        for (const char* key : keys) {
            if (!metadata.find(key)) metadata.set(key, static_cast<std::uint32_t>(value));
            if (metadata.integer(key) == value) return;
        }
    };
    const auto ids_of = [&](const char* field) -> Json {
        const Json* ids = json_member(model_config, field);
        if (!ids) return Json::array();
        return ids->is_array() ? *ids : Json::array({*ids});
    };
    for (const Json& id : ids_of("bos_token_id")) set_open(id, {"tokenizer.ggml.bos_token_id"});
    for (const Json& id : ids_of("pad_token_id")) set_open(id, {"tokenizer.ggml.padding_token_id"});
    for (const Json& id : ids_of("eos_token_id")) {
        set_open(id, {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                      "tokenizer.ggml.eom_token_id"});
    }
}

}  // namespace espalier
