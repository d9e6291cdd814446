#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/error.h"
#include "formats/gguf_token_type.h"
#include "formats/gguf_tokenizer.h"
#include "formats/split_rules.h"

namespace espalier {
namespace {

constexpr std::string_view kBlank = "\u2581";  // sentencepiece's mark for a space

[[noreturn]] void throw_malformed(const std::string& what) {
    throw Error(ErrorCode::FileMalformed, fmt::format("The GGUF file's tokenizer {}.", what),
                "Download the file again, or convert it anew.");
}

/// The token arrays, checked against each other.
struct Tokens {
    const std::vector<std::string>& texts;
    std::vector<GgufTokenType> types;
};

Tokens read_tokens(const GgufMetadata& metadata) {
    const auto* texts = metadata.array<std::string>("tokenizer.ggml.tokens");
    if (!texts || texts->empty()) throw_malformed("has no tokens");
    Tokens tokens{*texts, std::vector<GgufTokenType>(texts->size(), GgufTokenType::Normal)};
    if (const auto* types = metadata.array<std::int32_t>("tokenizer.ggml.token_type")) {
        if (types->size() != texts->size()) {
            throw_malformed(
                fmt::format("has {} tokens but {} types", texts->size(), types->size()));
        }
        std::transform(types->begin(), types->end(), tokens.types.begin(),
                       [](std::int32_t type) { return static_cast<GgufTokenType>(type); });
    }
    return tokens;
}

/// The text of the token that a key names; empty if the key is absent.
std::string token_at(const GgufMetadata& metadata, const Tokens& tokens, const char* key) {
    const std::int64_t id = metadata.integer_or(key, -1);
    if (id < 0) return {};
    if (static_cast<std::uint64_t>(id) >= tokens.texts.size()) {
        throw_malformed(
            fmt::format("names token {} in {}, but has only {}", id, key, tokens.texts.size()));
    }
    return tokens.texts[static_cast<std::size_t>(id)];
}

bool is_added(GgufTokenType type) {
    return type == GgufTokenType::Control || type == GgufTokenType::UserDefined ||
           type == GgufTokenType::Unknown;
}

Json added_tokens(const Tokens& tokens) {
    Json added = Json::array();
    for (std::size_t id = 0; id < tokens.texts.size(); ++id) {
        if (!is_added(tokens.types[id]) || tokens.texts[id].empty()) continue;
        added.push_back({{"id", id},
                         {"content", tokens.texts[id]},
                         {"single_word", false},
                         {"lstrip", false},
                         {"rstrip", false},
                         {"normalized", false},
                         {"special", tokens.types[id] != GgufTokenType::UserDefined}});
    }
    return added;
}

/// Ids by text, without unused ones; the first of equals counts.
std::unordered_map<std::string_view, std::size_t> ids_by_text(const Tokens& tokens) {
    std::unordered_map<std::string_view, std::size_t> ids;
    ids.reserve(tokens.texts.size());
    for (std::size_t id = 0; id < tokens.texts.size(); ++id) {
        if (tokens.types[id] != GgufTokenType::Unused) ids.try_emplace(tokens.texts[id], id);
    }
    return ids;
}

Json vocabulary(const Tokens& tokens,
                const std::unordered_map<std::string_view, std::size_t>& ids) {
    // Filled as a list: looking every key up first would take quadratic time.
    Json::object_t vocab;
    vocab.reserve(ids.size());
    for (std::size_t id = 0; id < tokens.texts.size(); ++id) {
        const auto found = ids.find(tokens.texts[id]);
        if (found != ids.end() && found->second == id)
            vocab.push_back({tokens.texts[id], Json(id)});
    }
    return Json(std::move(vocab));
}

Json special(const std::string& token) {
    return {{"SpecialToken", {{"id", token}, {"type_id", 0}}}};
}

/// TemplateProcessing that adds BOS or EOS as the flags say; null if neither.
Json post_processor(const GgufMetadata& metadata, const Tokens& tokens, bool adds_bos_unless_told) {
    const std::string bos = token_at(metadata, tokens, "tokenizer.ggml.bos_token_id");
    const std::string eos = token_at(metadata, tokens, "tokenizer.ggml.eos_token_id");
    const bool adds_bos =
        !bos.empty() && metadata.flag_or("tokenizer.ggml.add_bos_token", adds_bos_unless_told);
    const bool adds_eos = !eos.empty() && metadata.flag_or("tokenizer.ggml.add_eos_token", false);
    if (!adds_bos && !adds_eos) return nullptr;

    Json single = Json::array();
    Json special_tokens = Json::object();
    const auto add = [&](const std::string& token, const char* key) {
        single.push_back(special(token));
        special_tokens[token] = {{"id", token},
                                 {"ids", Json::array({metadata.integer(key)})},
                                 {"tokens", Json::array({token})}};
    };
    if (adds_bos) add(bos, "tokenizer.ggml.bos_token_id");
    single.push_back({{"Sequence", {{"id", "A"}, {"type_id", 0}}}});
    if (adds_eos) add(eos, "tokenizer.ggml.eos_token_id");
    Json pair = single;
    pair.push_back({{"Sequence", {{"id", "B"}, {"type_id", 1}}}});
    return {{"type", "TemplateProcessing"},
            {"single", std::move(single)},
            {"pair", std::move(pair)},
            {"special_tokens", std::move(special_tokens)}};
}

Json bpe_model() {
    return {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", nullptr},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", false},
            {"byte_fallback", false},
            {"ignore_merges", false}};
}

Json empty_tokenizer() {
    return {{"version", "1.0"}, {"truncation", nullptr}, {"padding", nullptr}};
}

Json byte_level_tokenizer(const GgufMetadata& metadata, const Tokens& tokens) {
    const std::string name = metadata.text_or("tokenizer.ggml.pre", "");
    const SplitRule* rule = find_split_rule(name);
    if (!rule) {
        throw Error(
            ErrorCode::FileUnsupported,
            fmt::format("The GGUF file splits text by the rule \"{}\", which Espalier does not "
                        "know.",
                        name),
            "Use the model's hub folder, whose tokenizer.json spells the rule out.");
    }
    const auto* merges = metadata.array<std::string>("tokenizer.ggml.merges");
    if (!merges) throw_malformed("has no merges");
    // Files written before the key existed belong to families that all normalise.
    const bool is_qwen = rule == find_split_rule("qwen2");
    const bool normalizes = metadata.flag_or("tokenizer.ggml.normalizer.nfc", is_qwen);

    Json model = bpe_model();
    model["ignore_merges"] = rule->ignore_merges;
    model["vocab"] = vocabulary(tokens, ids_by_text(tokens));
    model["merges"] = *merges;
    Json tokenizer = empty_tokenizer();
    tokenizer["added_tokens"] = added_tokens(tokens);
    tokenizer["normalizer"] = normalizes ? Json{{"type", "NFC"}} : Json(nullptr);
    tokenizer["pre_tokenizer"] = pre_tokenizer_json(*rule);
    tokenizer["post_processor"] = post_processor(metadata, tokens, rule->ignore_merges);
    tokenizer["decoder"] = {{"type", "ByteLevel"},
                            {"add_prefix_space", true},
                            {"trim_offsets", true},
                            {"use_regex", true}};
    tokenizer["model"] = std::move(model);
    return tokenizer;
}

/// Every way to make a piece from two others is a merge, ranked by the piece's score: what
/// sentencepiece does with scores alone.
Json merges_by_scores(const Tokens& tokens, const std::vector<float>& scores,
                      const std::unordered_map<std::string_view, std::size_t>& ids) {
    constexpr std::size_t kMaxPieceBytes =
        512;  // no real piece is longer; bounds the work on a hostile file
    std::vector<std::size_t> order;
    for (const auto& [text, id] : ids) {
        if (tokens.types[id] == GgufTokenType::Normal && text.size() <= kMaxPieceBytes) {
            order.push_back(id);
        }
    }
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return scores[a] != scores[b] ? scores[a] > scores[b] : a < b;
    });
    Json merges = Json::array();
    for (const std::size_t id : order) {
        const std::string_view text = tokens.texts[id];
        for (std::size_t cut = 1; cut < text.size(); ++cut) {
            const bool is_inside_character =
                (static_cast<unsigned char>(text[cut]) & 0xC0U) == 0x80U;
            if (is_inside_character || !ids.contains(text.substr(0, cut)) ||
                !ids.contains(text.substr(cut))) {
                continue;
            }
            merges.push_back(Json::array({text.substr(0, cut), text.substr(cut)}));
        }
    }
    return merges;
}

Json blank_normalizer(bool adds_prefix) {
    Json replace{{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", kBlank}};
    if (!adds_prefix) return replace;
    Json prepend{{"type", "Prepend"}, {"prepend", kBlank}};
    return {{"type", "Sequence"}, {"normalizers", Json::array({prepend, replace})}};
}

Json blank_decoder(bool adds_prefix) {
    Json decoders = Json::array();
    decoders.push_back({{"type", "Replace"}, {"pattern", {{"String", kBlank}}}, {"content", " "}});
    decoders.push_back({{"type", "ByteFallback"}});
    decoders.push_back({{"type", "Fuse"}});
    if (adds_prefix) {
        decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
    }
    return {{"type", "Sequence"}, {"decoders", std::move(decoders)}};
}

Json sentencepiece_tokenizer(const GgufMetadata& metadata, const Tokens& tokens) {
    const auto* scores = metadata.array<float>("tokenizer.ggml.scores");
    if (!scores || scores->size() != tokens.texts.size()) {
        throw_malformed("needs one score for each token");
    }
    if (std::any_of(scores->begin(), scores->end(), [](float s) { return s != s; })) {
        throw_malformed("has a score that is not a number");
    }
    const auto ids = ids_by_text(tokens);
    const bool adds_prefix = metadata.flag_or("tokenizer.ggml.add_space_prefix", true);
    const std::string unknown = token_at(metadata, tokens, "tokenizer.ggml.unknown_token_id");

    Json model = bpe_model();
    if (!unknown.empty()) model["unk_token"] = unknown;
    model["fuse_unk"] = true;
    model["byte_fallback"] = true;
    model["vocab"] = vocabulary(tokens, ids);
    model["merges"] = merges_by_scores(tokens, *scores, ids);
    Json tokenizer = empty_tokenizer();
    tokenizer["added_tokens"] = added_tokens(tokens);
    tokenizer["normalizer"] = blank_normalizer(adds_prefix);
    tokenizer["pre_tokenizer"] = nullptr;
    tokenizer["post_processor"] = post_processor(metadata, tokens, true);
    tokenizer["decoder"] = blank_decoder(adds_prefix);
    tokenizer["model"] = std::move(model);
    return tokenizer;
}

/// tokenizer_config.json as far as GGUF knows it.
Json tokenizer_config(const GgufMetadata& metadata, const Tokens& tokens) {
    Json config = Json::object();
    const std::pair<const char*, const char*> kTokens[] = {
        {"bos_token", "tokenizer.ggml.bos_token_id"},
        {"eos_token", "tokenizer.ggml.eos_token_id"},
        {"pad_token", "tokenizer.ggml.padding_token_id"},
        {"unk_token", "tokenizer.ggml.unknown_token_id"},
    };
    for (const auto& [field, key] : kTokens) {
        const std::string token = token_at(metadata, tokens, key);
        config[field] = token.empty() ? Json(nullptr) : Json(token);
    }
    config["tokenizer_class"] = "PreTrainedTokenizerFast";
    return config;
}

}  // namespace

TokenizerFiles tokenizer_from_gguf(const GgufMetadata& metadata) {
    const std::string kind = metadata.text_or("tokenizer.ggml.model", "");
    if (kind != "gpt2" && kind != "llama") {
        throw Error(ErrorCode::FileUnsupported,
                    fmt::format("The GGUF file has a tokenizer of the kind \"{}\"; Espalier reads "
                                "\"gpt2\" and \"llama\".",
                                kind),
                    "Use the model's hub folder.");
    }
    const Tokens tokens = read_tokens(metadata);
    TokenizerFiles files;
    files.tokenizer = kind == "gpt2" ? byte_level_tokenizer(metadata, tokens)
                                     : sentencepiece_tokenizer(metadata, tokens);
    files.config = tokenizer_config(metadata, tokens);
    files.chat_template = metadata.text_or("tokenizer.chat_template", "");
    return files;
}

}  // namespace espalier
