#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "tokenizer/byte_trie.h"
#include "tokenizer/model.h"

namespace espalier {

/// The most probable cut of a piece under a unigram language model, arXiv:1804.10959, by dynamic
/// programming over characters in double precision.
class UnigramModel : public TokenModel {
public:
    explicit UnigramModel(const JsonPart& json);

    std::unique_ptr<ModelScratch> make_scratch() const override;
    /// @throws Error FileUnsupported if a character is unknown and there is no token for that
    void encode(std::string_view piece, ModelScratch& scratch,
                std::vector<TokenId>& ids) const override;
    const Vocabulary& vocabulary() const noexcept override { return vocabulary_; }

private:
    struct Scratch;
    struct Step;

    void read_vocabulary(const JsonPart& json);
    void find_best_path(std::string_view piece, std::vector<Step>& path) const;
    void append_token(std::string_view token, std::vector<TokenId>& ids) const;
    TokenId unknown_or_throw(std::string_view piece) const;

    Vocabulary vocabulary_;
    std::vector<double> scores_;  ///< by id
    double unknown_score_ = 0.0;
    ByteTrie trie_;
    std::optional<TokenId> unknown_;
    bool falls_back_to_bytes_ = false;
    std::array<std::optional<TokenId>, 256> byte_tokens_;
};

}  // namespace espalier
