#include "tokenizer/byte_trie.h"

namespace espalier {

void ByteTrie::insert(std::string_view text, TokenId id) {
    if (text.empty()) return;
    Node node = kRoot;
    for (const char byte : text) {
        Node next = step(node, byte);
        if (next == kNone) {
            next = static_cast<Node>(tokens_.size());
            tokens_.push_back(kNoToken);
            if (node == kRoot) {
                first_[static_cast<unsigned char>(byte)] = next;
            } else {
                edges_.insert_or_assign(key(node, byte), next);
            }
        }
        node = next;
    }
    tokens_[node] = id;
}

}  // namespace espalier
