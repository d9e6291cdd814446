#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "tokenizer/byte_trie.h"
#include "tokenizer/code_points.h"
#include "tokenizer/json_part.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/regex.h"

namespace espalier {

/// A stretch of text: an added token, or what lies between two.
struct TextSegment {
    TextRange range;
    std::optional<TokenId> token;
};

/// Tokens that are cut out of the text before anything else sees it.
class AddedTokens {
public:
    enum class Table { Raw, Normalized };  ///< searched before or after the normalizer

    /// @param json all of tokenizer.json; @param normalizer may be null
    AddedTokens(const JsonPart& json, const Normalizer* normalizer);

    /// Cuts at the tokens of `table`: leftmost, then longest, without overlap.
    std::vector<TextSegment> cut(std::string_view text, Table table) const;

    std::optional<TokenId> id_of(std::string_view text) const;
    /// Null if `id` is none.
    const std::string* text_of(TokenId id) const noexcept;
    bool is_special(std::string_view text) const;
    /// One past the largest id; 0 if there are none.
    TokenId end_id() const noexcept { return end_id_; }

private:
    struct Token {
        std::string text;
        bool single_word = false;
        bool takes_left_blanks = false;
        bool takes_right_blanks = false;
    };
    void read(const JsonPart& json, const Normalizer* normalizer);
    bool stands_alone(std::string_view text, TextRange hit) const;
    const ByteTrie& trie(Table table) const { return table == Table::Raw ? raw_ : normalized_; }

    std::unordered_map<TokenId, Token> tokens_;
    std::unordered_map<std::string, TokenId> ids_;
    std::unordered_set<std::string> special_;
    ByteTrie raw_;
    ByteTrie normalized_;
    CodePoints word_characters_;
    TokenId end_id_ = 0;
};

}  // namespace espalier
