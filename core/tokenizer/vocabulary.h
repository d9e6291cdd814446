#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tokenizer/json_part.h"
#include "tokenizer/tokenizer.h"

namespace espalier {

/// The token strings of a model and their ids, which may have holes.
class Vocabulary {
public:
    /// Larger ids are refused, so that a short file cannot claim much memory.
    static constexpr std::int64_t kIdLimit = 1 << 22;

    Vocabulary() = default;
    /// @param json an object {token: id}
    explicit Vocabulary(const JsonPart& json);

    /// The last id of a string and the first string of an id count.
    void insert(std::string text, TokenId id);

    std::optional<TokenId> id_of(std::string_view text) const;
    /// Null for a hole.
    const std::string* text_of(TokenId id) const noexcept;
    /// One past the largest id.
    TokenId end_id() const noexcept { return static_cast<TokenId>(texts_.size()); }

private:
    std::vector<std::unique_ptr<const std::string>> texts_;   ///< by id; null for a hole
    std::vector<std::unique_ptr<const std::string>> others_;  ///< strings whose id had one already
    std::unordered_map<std::string_view, TokenId> ids_;       ///< views of texts_ and others_
};

}  // namespace espalier
