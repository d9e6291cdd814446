#include "tokenizer/tokenizer.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "tokenizer/added_tokens.h"
#include "tokenizer/decoder.h"
#include "tokenizer/encode_scratch.h"
#include "tokenizer/json_part.h"
#include "tokenizer/model.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/post_processor.h"
#include "tokenizer/pre_tokenizer.h"

namespace espalier {
namespace {

std::string_view part_of(std::string_view text, TextRange range) {
    return text.substr(range.begin, range.end - range.begin);
}

template <typename Part>
std::unique_ptr<const Part> make_if_present(const JsonPart& json, std::string_view key,
                                            std::unique_ptr<const Part> (*make)(const JsonPart&)) {
    const auto part = json.find(key);
    return part ? make(*part) : nullptr;
}

}  // namespace

struct Tokenizer::Parts {
    explicit Parts(const JsonPart& json)
        : model(make_model(json.at("model"))),
          normalizer(make_if_present(json, "normalizer", make_normalizer)),
          pre_tokenizer(make_if_present(json, "pre_tokenizer", make_pre_tokenizer)),
          decoder(make_if_present(json, "decoder", make_decoder)),
          added(json, normalizer.get()) {
        if (const auto part = json.find("post_processor")) post_processor = PostProcessor(*part);
    }

    void encode_piece_text(std::string_view text, bool is_text_start, EncodeScratch& scratch,
                           std::vector<TokenId>& ids) const {
        const PieceText cut =
            pre_tokenize(pre_tokenizer.get(), std::string(text), is_text_start, scratch.regex);
        for (const TextRange piece : cut.pieces) {
            model->encode(part_of(cut.text, piece), *scratch.model, ids);
        }
    }

    /// Text between added tokens of the first table.
    void encode_raw(std::string_view text, bool is_text_start, EncodeScratch& scratch,
                    std::vector<TokenId>& ids) const {
        std::string normalized(text);
        if (normalizer) normalizer->apply(normalized, scratch.regex);
        for (const TextSegment& segment : added.cut(normalized, AddedTokens::Table::Normalized)) {
            if (segment.token) {
                ids.push_back(*segment.token);
                continue;
            }
            const bool is_start = is_text_start && segment.range.begin == 0;
            encode_piece_text(part_of(normalized, segment.range), is_start, scratch, ids);
        }
    }

    const std::string* text_of(TokenId id) const noexcept {
        const std::string* text = added.text_of(id);
        return text != nullptr ? text : model->vocabulary().text_of(id);
    }

    std::unique_ptr<const TokenModel> model;
    std::unique_ptr<const Normalizer> normalizer;
    std::unique_ptr<const PreTokenizer> pre_tokenizer;
    std::unique_ptr<const Decoder> decoder;
    PostProcessor post_processor;
    AddedTokens added;
    mutable ScratchPool scratch_pool{*model};
};

Tokenizer::Tokenizer(const Json& tokenizer_json, std::string_view source)
    : parts_(std::make_unique<const Parts>(JsonPart(tokenizer_json, std::string(source)))) {}
Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;

std::vector<TokenId> Tokenizer::encode(std::string_view text, bool add_special) const {
    if (!is_valid_utf8(text)) {
        throw Error(ErrorCode::DataLine, "The text to tokenise is not UTF-8.",
                    "Convert it to UTF-8 first.");
    }
    const ScratchPool::Loan loan(parts_->scratch_pool);
    std::vector<TokenId> ids;
    for (const TextSegment& segment : parts_->added.cut(text, AddedTokens::Table::Raw)) {
        if (segment.token) {
            ids.push_back(*segment.token);
        } else {
            parts_->encode_raw(part_of(text, segment.range), segment.range.begin == 0, *loan, ids);
        }
    }
    return add_special ? parts_->post_processor.apply(std::move(ids)) : ids;
}

std::string Tokenizer::decode(std::span<const TokenId> ids, bool skip_special) const {
    std::vector<std::string> tokens;
    tokens.reserve(ids.size());
    for (const TokenId id : ids) {
        const std::string* text = parts_->text_of(id);
        if (text == nullptr || (skip_special && parts_->added.is_special(*text))) continue;
        tokens.push_back(*text);
    }
    if (parts_->decoder) parts_->decoder->apply(tokens);
    std::string result;
    for (const std::string& token : tokens) {
        if (!parts_->decoder && !result.empty()) result += ' ';
        result += token;
    }
    return result;
}

std::optional<TokenId> Tokenizer::id_of(std::string_view token) const {
    const auto added = parts_->added.id_of(token);
    return added ? added : parts_->model->vocabulary().id_of(token);
}

std::string Tokenizer::token_text(TokenId id) const {
    const std::string* text = parts_->text_of(id);
    return text == nullptr ? std::string() : *text;
}

bool Tokenizer::is_special(TokenId id) const {
    const std::string* text = parts_->text_of(id);
    return text != nullptr && parts_->added.is_special(*text);
}

TokenId Tokenizer::num_ids() const {
    return std::max(parts_->added.end_id(), parts_->model->vocabulary().end_id());
}

}  // namespace espalier
