#include "tokenizer/vocabulary.h"

#include <fmt/format.h>
#include <utility>

namespace espalier {

Vocabulary::Vocabulary(const JsonPart& json) {
    if (!json.value().is_object()) json.malformed("should be an object of tokens and ids");
    for (const auto& [text, id] : json.value().items()) {
        const auto number = id.is_number_integer() ? id.get<std::int64_t>() : -1;
        if (number < 0 || number >= kIdLimit) {
            json.malformed(fmt::format("gives \"{}\" an id that is no integer from 0 to {}", text,
                                       kIdLimit - 1));
        }
        insert(text, static_cast<TokenId>(number));
    }
}

void Vocabulary::insert(std::string text, TokenId id) {
    const auto index = static_cast<std::size_t>(id);
    if (index >= texts_.size()) texts_.resize(index + 1);
    auto owned = std::make_unique<const std::string>(std::move(text));
    ids_.insert_or_assign(*owned, id);
    if (texts_[index]) {
        others_.push_back(std::move(owned));
    } else {
        texts_[index] = std::move(owned);
    }
}

std::optional<TokenId> Vocabulary::id_of(std::string_view text) const {
    const auto found = ids_.find(text);
    if (found == ids_.end()) return std::nullopt;
    return found->second;
}

const std::string* Vocabulary::text_of(TokenId id) const noexcept {
    if (id < 0 || id >= end_id()) return nullptr;
    return texts_[static_cast<std::size_t>(id)].get();
}

}  // namespace espalier
