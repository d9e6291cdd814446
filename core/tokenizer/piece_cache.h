#pragma once

#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace espalier {

/// Remembers the ids of short pieces: text repeats its words. Emptied when full. Not for several
/// threads.
class PieceCache {
public:
    /// Appends the ids of `piece` and says true, or says false.
    bool append(std::string_view piece, std::vector<TokenId>& ids) const;
    void store(std::string_view piece, std::span<const TokenId> ids);

private:
    static constexpr std::size_t kMaxPieceBytes = 128;
    static constexpr std::size_t kMaxPieces = 1U << 16;
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const noexcept {
            return std::hash<std::string_view>{}(text);
        }
    };
    struct Stored {
        std::uint32_t begin;
        std::uint32_t count;
    };
    std::unordered_map<std::string, Stored, Hash, std::equal_to<>> pieces_;
    std::vector<TokenId> ids_;
};

}  // namespace espalier
