#pragma once

#include <string_view>
#include <vector>

#include "tokenizer/json_part.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/text_pattern.h"

namespace espalier {

/// What becomes of the matches of a pattern that cuts.
enum class SplitBehavior { Isolated, Removed, MergedWithPrevious, MergedWithNext, Contiguous };

SplitBehavior read_split_behavior(const JsonPart& json);

/// A part of a piece: a match, or the gap between two.
struct SplitPart {
    TextRange range;
    bool is_match;
};

/// Appends the pieces that `parts`, which lie side by side, form; empty ones vanish.
void join_parts(const std::vector<SplitPart>& parts, SplitBehavior behavior,
                std::vector<TextRange>& pieces);

/// Cuts at a pattern; the text stays as it is.
class Split : public PreTokenizer {
public:
    Split(TextPattern pattern, SplitBehavior behavior, bool invert);
    void apply(PieceText& text, RegexScratch& scratch) const override;

private:
    TextPattern pattern_;
    SplitBehavior behavior_;
    bool invert_;
};

}  // namespace espalier
