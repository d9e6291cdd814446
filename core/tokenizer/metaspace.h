#pragma once

#include <string>

#include "tokenizer/json_part.h"
#include "tokenizer/pre_tokenizer.h"

namespace espalier {

/// How sentencepiece spells the space, and where it adds one of its own.
struct MetaspaceOptions {
    enum class Prepend { Always, First, Never };
    std::string replacement = "▁";  ///< one character
    Prepend prepend = Prepend::Always;
    bool split = true;  ///< a new piece starts at every replacement
};

MetaspaceOptions read_metaspace(const JsonPart& json);

class MetaspacePreTokenizer : public PreTokenizer {
public:
    explicit MetaspacePreTokenizer(MetaspaceOptions options);
    void apply(PieceText& text, RegexScratch& scratch) const override;

private:
    void append_cut(const std::string& piece, PieceText& out) const;
    MetaspaceOptions options_;
};

}  // namespace espalier
