#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tokenizer/json_part.h"
#include "tokenizer/regex.h"

namespace espalier {

/// A stretch of text and the pieces of it that go into the model, in order.
struct PieceText {
    std::string text;
    std::vector<TextRange> pieces;
    bool is_text_start = false;  ///< the stretch begins the whole text
};

/// Cuts text into pieces, and may rewrite them.
class PreTokenizer {
public:
    virtual ~PreTokenizer() = default;
    /// Works on every piece of `text` by itself.
    virtual void apply(PieceText& text, RegexScratch& scratch) const = 0;
};

/// Sequence, Split, Digits, Metaspace, ByteLevel, WhitespaceSplit, Punctuation.
/// @throws Error FileUnsupported for any other
std::unique_ptr<const PreTokenizer> make_pre_tokenizer(const JsonPart& json);

/// The whole of `text` as one piece, cut by `pre_tokenizer`, which may be null.
PieceText pre_tokenize(const PreTokenizer* pre_tokenizer, std::string text, bool is_text_start,
                       RegexScratch& scratch);

}  // namespace espalier
