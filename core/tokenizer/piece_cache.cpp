#include "tokenizer/piece_cache.h"

namespace espalier {

bool PieceCache::append(std::string_view piece, std::vector<TokenId>& ids) const {
    if (piece.size() > kMaxPieceBytes) return false;
    const auto found = pieces_.find(piece);
    if (found == pieces_.end()) return false;
    const auto first = ids_.begin() + found->second.begin;
    ids.insert(ids.end(), first, first + found->second.count);
    return true;
}

void PieceCache::store(std::string_view piece, std::span<const TokenId> ids) {
    if (piece.size() > kMaxPieceBytes) return;
    if (pieces_.size() >= kMaxPieces) {
        pieces_.clear();
        ids_.clear();
    }
    pieces_.emplace(std::string(piece), Stored{static_cast<std::uint32_t>(ids_.size()),
                                               static_cast<std::uint32_t>(ids.size())});
    ids_.insert(ids_.end(), ids.begin(), ids.end());
}

}  // namespace espalier
