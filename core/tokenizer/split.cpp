#include "tokenizer/split.h"

#include <fmt/format.h>
#include <utility>

namespace espalier {
namespace {

bool continues_piece(SplitBehavior behavior, bool was_match, bool is_match) {
    switch (behavior) {
        case SplitBehavior::MergedWithPrevious:
            return is_match && !was_match;
        case SplitBehavior::MergedWithNext:
            return was_match && !is_match;
        case SplitBehavior::Contiguous:
            return was_match == is_match;
        default:
            return false;
    }
}

}  // namespace

SplitBehavior read_split_behavior(const JsonPart& json) {
    const std::string name = json.text("behavior");
    if (name == "Isolated") return SplitBehavior::Isolated;
    if (name == "Removed") return SplitBehavior::Removed;
    if (name == "MergedWithPrevious") return SplitBehavior::MergedWithPrevious;
    if (name == "MergedWithNext") return SplitBehavior::MergedWithNext;
    if (name == "Contiguous") return SplitBehavior::Contiguous;
    json.unsupported(fmt::format("unknown behavior \"{}\"", name));
}

void join_parts(const std::vector<SplitPart>& parts, SplitBehavior behavior,
                std::vector<TextRange>& pieces) {
    const std::size_t first_new = pieces.size();
    bool was_match = false;
    for (const SplitPart& part : parts) {
        const bool is_dropped = part.range.begin == part.range.end ||
                                (behavior == SplitBehavior::Removed && part.is_match);
        if (is_dropped) {
            was_match = part.is_match;  // an empty match keeps its neighbours apart
            continue;
        }
        if (pieces.size() > first_new && continues_piece(behavior, was_match, part.is_match)) {
            pieces.back().end = part.range.end;
        } else {
            pieces.push_back(part.range);
        }
        was_match = part.is_match;
    }
}

Split::Split(TextPattern pattern, SplitBehavior behavior, bool invert)
    : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert) {}

void Split::apply(PieceText& text, RegexScratch& scratch) const {
    std::vector<TextRange> pieces;
    std::vector<TextRange> matches;
    std::vector<SplitPart> parts;
    for (const TextRange piece : text.pieces) {
        matches.clear();
        parts.clear();
        const auto whole = std::string_view(text.text).substr(piece.begin, piece.end - piece.begin);
        pattern_.find_all(whole, scratch, matches);
        std::size_t done = piece.begin;
        for (const TextRange match : matches) {
            const TextRange range{match.begin + piece.begin, match.end + piece.begin};
            if (done < range.begin) parts.push_back({{done, range.begin}, invert_});
            parts.push_back({range, !invert_});
            done = range.end;
        }
        if (done < piece.end) parts.push_back({{done, piece.end}, invert_});
        join_parts(parts, behavior_, pieces);
    }
    text.pieces = std::move(pieces);
}

}  // namespace espalier
