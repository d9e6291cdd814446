#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "tokenizer/flat_map.h"
#include "tokenizer/tokenizer.h"

namespace espalier {

/// Strings and their ids, walked byte by byte.
class ByteTrie {
public:
    using Node = std::uint32_t;
    static constexpr Node kRoot = 0;
    static constexpr Node kNone = 0xFFFFFFFFU;
    static constexpr TokenId kNoToken = -1;

    /// An empty string is ignored; a later id replaces an earlier one.
    void insert(std::string_view text, TokenId id);

    Node step(Node node, char byte) const noexcept {
        if (node == kRoot) return first_[static_cast<unsigned char>(byte)];
        const std::uint64_t* next = edges_.find(key(node, byte));
        return next == nullptr ? kNone : static_cast<Node>(*next);
    }
    /// The string that ends here, or kNoToken.
    TokenId token_at(Node node) const noexcept { return tokens_[node]; }
    bool empty() const noexcept { return tokens_.size() == 1; }

private:
    static std::uint64_t key(Node node, char byte) noexcept {
        return static_cast<std::uint64_t>(node) << 8U | static_cast<unsigned char>(byte);
    }
    static std::array<Node, 256> no_nodes() noexcept {
        std::array<Node, 256> nodes{};
        nodes.fill(kNone);
        return nodes;
    }

    std::array<Node, 256> first_ = no_nodes();
    FlatMap edges_;
    std::vector<TokenId> tokens_{kNoToken};
};

}  // namespace espalier
