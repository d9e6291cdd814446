#include "base/utf8.h"
#include "tokenizer/tokenizer.h"

namespace espalier {
namespace {

constexpr std::size_t kMaxWindow = 256;

bool ends_half_way(std::string_view text) { return text.ends_with("\xEF\xBF\xBD"); }

}  // namespace

StreamingDecoder::StreamingDecoder(const Tokenizer& tokenizer, bool skip_special)
    : tokenizer_(tokenizer), skip_special_(skip_special) {}

std::string StreamingDecoder::push(TokenId id) {
    if (prefix_.empty() && !window_.empty()) {
        std::string text = tokenizer_.decode(window_, skip_special_);
        if (!ends_half_way(text)) {
            prefix_ = std::move(text);
            prefix_ids_ = window_.size();
        }
    }
    window_.push_back(id);
    const std::string text = tokenizer_.decode(window_, skip_special_);
    // A model that only ever writes broken characters must not make the window grow for ever.
    const bool waits = ends_half_way(text) && window_.size() < kMaxWindow;
    if (text.size() <= prefix_.size() || waits) return {};
    // Where decoding is not additive, the cut may fall into a character.
    std::string chunk = replace_invalid_utf8(std::string_view(text).substr(prefix_.size()));
    window_.erase(window_.begin(), window_.begin() + static_cast<std::ptrdiff_t>(prefix_ids_));
    prefix_ = tokenizer_.decode(window_, skip_special_);
    prefix_ids_ = window_.size();
    return chunk;
}

std::string StreamingDecoder::finish() {
    const std::string text = tokenizer_.decode(window_, skip_special_);
    std::string rest;
    if (text.size() > prefix_.size()) {
        rest = replace_invalid_utf8(std::string_view(text).substr(prefix_.size()));
    }
    window_.clear();
    prefix_.clear();
    prefix_ids_ = 0;
    return rest;
}

}  // namespace espalier
