#include "tokenizer/unigram_model.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>

#include "base/error.h"
#include "tokenizer/piece_cache.h"
#include "tokenizer/regex.h"
#include "tokenizer/utf8_cursor.h"

namespace espalier {
namespace {

constexpr double kUnknownPenalty = 10.0;
constexpr std::size_t kNowhere = std::numeric_limits<std::size_t>::max();

}  // namespace

/// The best way found so far to reach a byte position.
struct UnigramModel::Step {
    double score = 0.0;
    std::size_t from = kNowhere;
    TokenId token = -1;
};

struct UnigramModel::Scratch : ModelScratch {
    PieceCache cache;
    std::vector<Step> path;
    std::vector<TextRange> tokens;
    std::vector<TokenId> ids;
};

UnigramModel::UnigramModel(const JsonPart& json)
    : falls_back_to_bytes_(json.flag("byte_fallback", false)) {
    read_vocabulary(json.at("vocab"));
    if (json.find("unk_id")) {
        unknown_ = static_cast<TokenId>(json.index("unk_id", vocabulary_.end_id()));
    }
    for (std::size_t byte = 0; byte < byte_tokens_.size(); ++byte) {
        byte_tokens_[byte] = vocabulary_.id_of(fmt::format("<0x{:02X}>", byte));
    }
}

void UnigramModel::read_vocabulary(const JsonPart& json) {
    const Json& list = json.value();
    if (!list.is_array() || static_cast<std::int64_t>(list.size()) > Vocabulary::kIdLimit) {
        json.malformed("should be a list of tokens and scores");
    }
    double lowest = 0.0;
    for (const Json& entry : list) {
        const bool is_pair = entry.is_array() && entry.size() == 2 && entry[0].is_string() &&
                             entry[1].is_number() && std::isfinite(entry[1].get<double>());
        if (!is_pair) {
            json.malformed(
                fmt::format("has an entry {} that is no [token, score]", scores_.size()));
        }
        const auto id = static_cast<TokenId>(scores_.size());
        scores_.push_back(entry[1].get<double>());
        lowest = id == 0 ? scores_.back() : std::min(lowest, scores_.back());
        vocabulary_.insert(entry[0].get<std::string>(), id);
        trie_.insert(entry[0].get<std::string>(), id);
    }
    unknown_score_ = lowest - kUnknownPenalty;
}

TokenId UnigramModel::unknown_or_throw(std::string_view piece) const {
    if (unknown_) return *unknown_;
    throw Error(
        ErrorCode::FileUnsupported,
        fmt::format("The tokenizer has no token for unknown characters, and \"{}\" holds some.",
                    piece.substr(0, 40)),
        "Use the tokenizer that the model was trained with.");
}

void UnigramModel::find_best_path(std::string_view piece, std::vector<Step>& path) const {
    path.assign(piece.size() + 1, Step{});
    const auto offer = [&](std::size_t from, std::size_t to, TokenId token, double score) {
        const double sum = path[from].score + score;
        if (path[to].from == kNowhere || sum > path[to].score) path[to] = {sum, from, token};
    };
    for (std::size_t begin = 0; begin < piece.size();) {
        const std::size_t next = begin + utf8_length(piece[begin]);
        bool has_single = false;
        ByteTrie::Node node = ByteTrie::kRoot;
        for (std::size_t end = begin; end < piece.size();) {
            node = trie_.step(node, piece[end]);
            if (node == ByteTrie::kNone) break;
            ++end;
            const TokenId token = trie_.token_at(node);
            if (token == ByteTrie::kNoToken) continue;
            offer(begin, end, token, scores_[static_cast<std::size_t>(token)]);
            has_single = has_single || end == next;
        }
        if (!has_single) offer(begin, next, unknown_or_throw(piece), unknown_score_);
        begin = next;
    }
}

void UnigramModel::append_token(std::string_view token, std::vector<TokenId>& ids) const {
    if (const auto id = vocabulary_.id_of(token)) return ids.push_back(*id);
    const auto has_byte = [&](char byte) {
        return byte_tokens_[static_cast<unsigned char>(byte)].has_value();
    };
    if (falls_back_to_bytes_ && std::all_of(token.begin(), token.end(), has_byte)) {
        for (const char byte : token)
            ids.push_back(*byte_tokens_[static_cast<unsigned char>(byte)]);
        return;
    }
    ids.push_back(unknown_or_throw(token));
}

std::unique_ptr<ModelScratch> UnigramModel::make_scratch() const {
    return std::make_unique<Scratch>();
}

void UnigramModel::encode(std::string_view piece, ModelScratch& scratch,
                          std::vector<TokenId>& ids) const {
    auto& own = static_cast<Scratch&>(scratch);
    if (own.cache.append(piece, ids)) return;
    find_best_path(piece, own.path);
    own.tokens.clear();
    bool was_unknown = false;
    for (std::size_t end = piece.size(); end > 0; end = own.path[end].from) {
        const bool is_unknown = own.path[end].token == unknown_;
        if (is_unknown && was_unknown) {  // neighbours join before they are looked up
            own.tokens.back().begin = own.path[end].from;
        } else {
            own.tokens.push_back({own.path[end].from, end});
        }
        was_unknown = is_unknown;
    }
    own.ids.clear();
    for (auto token = own.tokens.rbegin(); token != own.tokens.rend(); ++token) {
        append_token(piece.substr(token->begin, token->end - token->begin), own.ids);
    }
    own.cache.store(piece, own.ids);
    ids.insert(ids.end(), own.ids.begin(), own.ids.end());
}

}  // namespace espalier
