#include "tokenizer/added_tokens.h"

#include <algorithm>
#include <utility>

#include "tokenizer/unicode_classes.h"
#include "tokenizer/utf8_cursor.h"
#include "tokenizer/vocabulary.h"

namespace espalier {
namespace {

struct Hit {
    TextRange range;
    TokenId token;
};

/// The next hit at or after `start`.
std::optional<Hit> find_hit(const ByteTrie& trie, std::string_view text, std::size_t start) {
    for (std::size_t begin = start; begin < text.size(); ++begin) {
        ByteTrie::Node node = ByteTrie::kRoot;
        std::optional<Hit> longest;
        for (std::size_t end = begin; end < text.size();) {
            node = trie.step(node, text[end]);
            if (node == ByteTrie::kNone) break;
            ++end;
            if (trie.token_at(node) != ByteTrie::kNoToken) {
                longest = Hit{{begin, end}, trie.token_at(node)};
            }
        }
        if (longest) return longest;
    }
    return std::nullopt;
}

std::size_t skip_blanks_back(std::string_view text, std::size_t end) {
    while (end > 0) {
        const std::size_t start = previous_character(text, end);
        std::size_t i = start;
        if (!is_white_space(next_code_point(text, i))) break;
        end = start;
    }
    return end;
}

std::size_t skip_blanks(std::string_view text, std::size_t begin) {
    while (begin < text.size()) {
        std::size_t next = begin;
        if (!is_white_space(next_code_point(text, next))) break;
        begin = next;
    }
    return begin;
}

}  // namespace

AddedTokens::AddedTokens(const JsonPart& json, const Normalizer* normalizer) {
    if (!json.find("added_tokens")) return;
    for (const JsonPart& token : json.items("added_tokens")) read(token, normalizer);
    const bool needs_words = std::any_of(
        tokens_.begin(), tokens_.end(), [](const auto& entry) { return entry.second.single_word; });
    if (needs_words) word_characters_ = uts18_word_class();
}

void AddedTokens::read(const JsonPart& json, const Normalizer* normalizer) {
    const auto id = static_cast<TokenId>(json.index("id", Vocabulary::kIdLimit));
    Token token{.text = json.text("content"),
                .single_word = json.flag("single_word", false),
                .takes_left_blanks = json.flag("lstrip", false),
                .takes_right_blanks = json.flag("rstrip", false)};
    const bool is_special = json.flag("special", false);
    if (is_special) special_.insert(token.text);
    std::string searched = token.text;
    if (json.flag("normalized", !is_special)) {
        RegexScratch scratch;
        if (normalizer != nullptr) normalizer->apply(searched, scratch);
        normalized_.insert(searched, id);
    } else {
        raw_.insert(searched, id);
    }
    ids_.insert_or_assign(token.text, id);
    tokens_.insert_or_assign(id, std::move(token));
    end_id_ = std::max(end_id_, id + 1);
}

bool AddedTokens::stands_alone(std::string_view text, TextRange hit) const {
    std::size_t after = hit.end;
    if (after < text.size() && word_characters_.contains(next_code_point(text, after)))
        return false;
    if (hit.begin == 0) return true;
    std::size_t before = previous_character(text, hit.begin);
    return !word_characters_.contains(next_code_point(text, before));
}

std::vector<TextSegment> AddedTokens::cut(std::string_view text, Table table) const {
    std::vector<TextSegment> segments;
    std::size_t done = 0;
    std::size_t search_from = 0;
    while (!trie(table).empty()) {
        const auto hit = find_hit(trie(table), text, search_from);
        if (!hit) break;
        search_from = hit->range.end;
        const Token& token = tokens_.at(hit->token);
        if (token.single_word && !stands_alone(text, hit->range)) continue;
        TextRange range = hit->range;
        if (token.takes_left_blanks) {
            range.begin = std::max(skip_blanks_back(text, range.begin), done);
        }
        if (token.takes_right_blanks) range.end = skip_blanks(text, range.end);
        if (done < range.begin) segments.push_back({{done, range.begin}, std::nullopt});
        segments.push_back({range, hit->token});
        done = range.end;  // may lie before the end of a token that swallowed this one
    }
    if (done < text.size()) segments.push_back({{done, text.size()}, std::nullopt});
    return segments;
}

std::optional<TokenId> AddedTokens::id_of(std::string_view text) const {
    const auto found = ids_.find(std::string(text));
    if (found == ids_.end()) return std::nullopt;
    return found->second;
}

const std::string* AddedTokens::text_of(TokenId id) const noexcept {
    const auto found = tokens_.find(id);
    return found == tokens_.end() ? nullptr : &found->second.text;
}

bool AddedTokens::is_special(std::string_view text) const {
    return special_.contains(std::string(text));
}

}  // namespace espalier
