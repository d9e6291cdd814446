#include "tokenizer/bpe_model.h"

#include <fmt/format.h>
#include <utility>

#include "tokenizer/piece_cache.h"
#include "tokenizer/utf8_cursor.h"

namespace espalier {
namespace {

constexpr char32_t kShortEnd = 0x800;
constexpr std::size_t kLongPieceBytes = 64;

}  // namespace

struct BpeModel::Scratch : ModelScratch {
    PieceCache cache;
    BpeMerges::Queue queue;
    std::vector<TokenId> symbols;
};

BpeModel::BpeModel(const JsonPart& json)
    : vocabulary_(json.at("vocab")),
      options_(read_options(json, vocabulary_)),
      merges_(json.at("merges"), vocabulary_, options_.prefix.size()),
      short_characters_(kShortEnd, -1) {
    index_characters();
}

BpeModel::Options BpeModel::read_options(const JsonPart& json, const Vocabulary& vocabulary) {
    if (const auto dropout = json.find("dropout"); dropout && dropout->value() != 0.0) {
        dropout->unsupported("random dropout of merges");
    }
    Options options{.prefix = json.text("continuing_subword_prefix", ""),
                    .suffix = json.text("end_of_word_suffix", ""),
                    .unknown = std::nullopt,
                    .fuses_unknown = json.flag("fuse_unk", false),
                    .falls_back_to_bytes = json.flag("byte_fallback", false),
                    .ignores_merges = json.flag("ignore_merges", false)};
    if (const std::string unknown = json.text("unk_token", ""); !unknown.empty()) {
        options.unknown = vocabulary.id_of(unknown);
        if (!options.unknown) {
            json.at("unk_token").malformed(fmt::format("\"{}\" is not in the vocabulary", unknown));
        }
    }
    return options;
}

void BpeModel::index_characters() {
    for (TokenId id = 0; id < vocabulary_.end_id(); ++id) {
        const std::string* text = vocabulary_.text_of(id);
        if (text == nullptr || text->empty() || utf8_length(text->front()) != text->size())
            continue;
        std::size_t position = 0;
        const char32_t character = next_code_point(*text, position);
        if (character < kShortEnd) {
            short_characters_[character] = id;
        } else {
            long_characters_.insert_or_assign(character, static_cast<std::uint64_t>(id));
        }
    }
    for (std::size_t byte = 0; byte < byte_tokens_.size(); ++byte) {
        byte_tokens_[byte] = vocabulary_.id_of(fmt::format("<0x{:02X}>", byte));
    }
}

std::optional<TokenId> BpeModel::character_id(std::string_view piece, TextRange character) const {
    const bool has_prefix = character.begin > 0 && !options_.prefix.empty();
    const bool has_suffix = character.end == piece.size() && !options_.suffix.empty();
    if (has_prefix || has_suffix) {
        std::string spelt = has_prefix ? options_.prefix : "";
        spelt += piece.substr(character.begin, character.end - character.begin);
        if (has_suffix) spelt += options_.suffix;
        return vocabulary_.id_of(spelt);
    }
    const char32_t code_point = next_code_point(piece, character.begin);
    if (code_point < kShortEnd) {
        const TokenId id = short_characters_[code_point];
        return id < 0 ? std::nullopt : std::optional(id);
    }
    const std::uint64_t* id = long_characters_.find(code_point);
    return id == nullptr ? std::nullopt : std::optional(static_cast<TokenId>(*id));
}

bool BpeModel::append_bytes(std::string_view character, std::vector<TokenId>& symbols) const {
    const std::size_t size_before = symbols.size();
    for (const char byte : character) {
        const auto id = byte_tokens_[static_cast<unsigned char>(byte)];
        if (!id) {
            symbols.resize(size_before);
            return false;
        }
        symbols.push_back(*id);
    }
    return true;
}

void BpeModel::append_symbols(std::string_view piece, std::vector<TokenId>& symbols) const {
    bool has_pending_unknown = false;
    const auto flush_unknown = [&] {
        if (std::exchange(has_pending_unknown, false)) symbols.push_back(*options_.unknown);
    };
    for (std::size_t begin = 0; begin < piece.size();) {
        const std::size_t end = begin + utf8_length(piece[begin]);
        if (const auto id = character_id(piece, {begin, end})) {
            flush_unknown();
            symbols.push_back(*id);
        } else if (options_.falls_back_to_bytes &&
                   append_bytes(piece.substr(begin, end - begin), symbols)) {
            // A pending unknown stays behind the bytes, as in the reference.
        } else if (options_.unknown) {
            if (!options_.fuses_unknown) flush_unknown();
            has_pending_unknown = true;
        }
        begin = end;
    }
    flush_unknown();
}

std::unique_ptr<ModelScratch> BpeModel::make_scratch() const { return std::make_unique<Scratch>(); }

void BpeModel::encode(std::string_view piece, ModelScratch& scratch,
                      std::vector<TokenId>& ids) const {
    auto& own = static_cast<Scratch&>(scratch);
    const bool is_plain =
        options_.prefix.empty() && options_.suffix.empty() && !options_.ignores_merges;
    if (piece.size() > kLongPieceBytes && is_plain) {
        encode_in_parts(piece, own, ids);
    } else {
        encode_whole(piece, own, ids);
    }
}

/// Models without a pre-tokenizer hand over whole texts. Cutting where no rule reaches across
/// changes nothing but the time: the parts repeat, and the cache knows them.
void BpeModel::encode_in_parts(std::string_view piece, Scratch& scratch,
                               std::vector<TokenId>& ids) const {
    std::size_t begin = 0;
    std::size_t position = 0;
    char32_t previous = next_code_point(piece, position);
    bool knows_previous = character_id(piece, {0, position}).has_value();
    while (position < piece.size()) {
        const std::size_t start = position;
        const char32_t current = next_code_point(piece, position);
        const bool knows_current = character_id(piece, {start, position}).has_value();
        // Unknown characters may fuse with their neighbours.
        if (knows_previous && knows_current && !merges_.may_join(previous, current)) {
            encode_whole(piece.substr(begin, start - begin), scratch, ids);
            begin = start;
        }
        previous = current;
        knows_previous = knows_current;
    }
    encode_whole(piece.substr(begin), scratch, ids);
}

void BpeModel::encode_whole(std::string_view piece, Scratch& own, std::vector<TokenId>& ids) const {
    if (own.cache.append(piece, ids)) return;
    own.symbols.clear();
    const auto whole = options_.ignores_merges ? vocabulary_.id_of(piece) : std::nullopt;
    if (whole) {
        own.symbols.push_back(*whole);
    } else {
        append_symbols(piece, own.symbols);
        own.queue.merge(merges_, own.symbols);
    }
    own.cache.store(piece, own.symbols);
    ids.insert(ids.end(), own.symbols.begin(), own.symbols.end());
}

}  // namespace espalier
