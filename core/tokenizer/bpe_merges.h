#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/flat_map.h"
#include "tokenizer/json_part.h"
#include "tokenizer/vocabulary.h"

namespace espalier {

/// The merge rules of a BPE model: which neighbours join, in which order, into what.
class BpeMerges {
public:
    struct Rule {
        std::uint32_t rank;
        TokenId result;
    };

    /// @param json list of "a b" or ["a", "b"], the first rule being the strongest
    /// @param prefix_bytes length of continuing_subword_prefix, left out of the second part
    BpeMerges(const JsonPart& json, const Vocabulary& vocabulary, std::size_t prefix_bytes);

    std::optional<Rule> find(TokenId left, TokenId right) const noexcept {
        const std::uint64_t* rule = rules_.find(key(left, right));
        if (rule == nullptr) return std::nullopt;
        return Rule{static_cast<std::uint32_t>(*rule >> 32U),
                    static_cast<TokenId>(*rule & 0xFFFFFFFFU)};
    }

    /// True if some rule joins a token that ends in `left` with one that begins with `right`. Where
    /// none does, a text can be cut and its parts merged by themselves.
    bool may_join(char32_t left, char32_t right) const noexcept {
        return junctions_.find(static_cast<std::uint64_t>(left) << 32U | right) != nullptr;
    }

    /// Merges the symbols as far as the rules go: repeatedly the strongest rule that applies, the
    /// leftmost of equals. O(n log n). The queue is lazy as in the reference: an outdated entry is
    /// taken if the symbols now at its place merge into the same id, by whatever rule.
    class Queue {
    public:
        void merge(const BpeMerges& merges, std::vector<TokenId>& symbols);

    private:
        struct Symbol {
            TokenId id;
            std::int32_t previous;
            std::int32_t next;
        };
        struct Candidate {
            std::uint32_t rank;
            std::int32_t position;
            TokenId result;
            auto operator<=>(const Candidate&) const = default;
        };
        void offer(const BpeMerges& merges, std::int32_t position);
        void join(const BpeMerges& merges, const Candidate& candidate);

        std::vector<Symbol> symbols_;
        std::vector<Candidate> heap_;
    };

private:
    void note_junction(std::string_view left, std::string_view right);
    static std::uint64_t key(TokenId left, TokenId right) noexcept {
        return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32U |
               static_cast<std::uint32_t>(right);
    }
    FlatMap rules_;
    FlatMap junctions_;  ///< pairs of characters, for may_join
};

}  // namespace espalier
