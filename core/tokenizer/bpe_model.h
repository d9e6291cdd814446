#pragma once

#include <array>
#include <optional>
#include <string>

#include "tokenizer/bpe_merges.h"
#include "tokenizer/model.h"
#include "tokenizer/regex.h"

namespace espalier {

/// Byte pair encoding, arXiv:1508.07909, over characters (which byte-level pieces spell bytes
/// with).
class BpeModel : public TokenModel {
public:
    explicit BpeModel(const JsonPart& json);

    std::unique_ptr<ModelScratch> make_scratch() const override;
    void encode(std::string_view piece, ModelScratch& scratch,
                std::vector<TokenId>& ids) const override;
    const Vocabulary& vocabulary() const noexcept override { return vocabulary_; }

private:
    struct Options {
        std::string prefix;  ///< continuing_subword_prefix
        std::string suffix;  ///< end_of_word_suffix
        std::optional<TokenId> unknown;
        bool fuses_unknown = false;
        bool falls_back_to_bytes = false;
        bool ignores_merges = false;
    };
    struct Scratch;

    static Options read_options(const JsonPart& json, const Vocabulary& vocabulary);
    void index_characters();
    std::optional<TokenId> character_id(std::string_view piece, TextRange character) const;
    bool append_bytes(std::string_view character, std::vector<TokenId>& symbols) const;
    void append_symbols(std::string_view piece, std::vector<TokenId>& symbols) const;
    void encode_whole(std::string_view piece, Scratch& scratch, std::vector<TokenId>& ids) const;
    void encode_in_parts(std::string_view piece, Scratch& scratch, std::vector<TokenId>& ids) const;

    Vocabulary vocabulary_;
    Options options_;
    BpeMerges merges_;
    std::vector<TokenId> short_characters_;  ///< by code point, -1 if none; of one or two bytes
    FlatMap long_characters_;
    std::array<std::optional<TokenId>, 256> byte_tokens_;  ///< <0x00> to <0xFF>
};

}  // namespace espalier
