#include "tokenizer/pre_tokenizer.h"

#include <fmt/format.h>
#include <optional>
#include <utility>

#include "tokenizer/byte_level.h"
#include "tokenizer/metaspace.h"
#include "tokenizer/split.h"

namespace espalier {
namespace {

constexpr int kMaxDepth = 16;
constexpr const char* kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

class PreTokenizerSequence : public PreTokenizer {
public:
    explicit PreTokenizerSequence(std::vector<std::unique_ptr<const PreTokenizer>> members)
        : members_(std::move(members)) {}
    void apply(PieceText& text, RegexScratch& scratch) const override {
        for (const auto& member : members_) member->apply(text, scratch);
    }

private:
    std::vector<std::unique_ptr<const PreTokenizer>> members_;
};

/// GPT-2's pattern if wanted, then every byte as a printable character.
class ByteLevelPreTokenizer : public PreTokenizer {
public:
    ByteLevelPreTokenizer(bool adds_prefix_space, bool uses_regex)
        : adds_prefix_space_(adds_prefix_space) {
        if (uses_regex) {
            split_.emplace(TextPattern(Regex(kGpt2Pattern)), SplitBehavior::Isolated, false);
        }
    }

    void apply(PieceText& text, RegexScratch& scratch) const override {
        if (adds_prefix_space_) add_prefix_spaces(text);
        if (split_) split_->apply(text, scratch);
        std::string spelt;
        spelt.reserve(text.text.size() + text.text.size() / 4);
        for (TextRange& piece : text.pieces) {
            const std::size_t begin = spelt.size();
            append_byte_level(
                spelt, std::string_view(text.text).substr(piece.begin, piece.end - piece.begin));
            piece = {begin, spelt.size()};
        }
        text.text = std::move(spelt);
    }

private:
    static void add_prefix_spaces(PieceText& text) {
        std::string spaced;
        for (TextRange& piece : text.pieces) {
            const std::size_t begin = spaced.size();
            if (text.text[piece.begin] != ' ') spaced += ' ';
            spaced.append(text.text, piece.begin, piece.end - piece.begin);
            piece = {begin, spaced.size()};
        }
        text.text = std::move(spaced);
    }

    bool adds_prefix_space_;
    std::optional<Split> split_;
};

std::unique_ptr<const PreTokenizer> split_at(const char* pattern, SplitBehavior behavior) {
    return std::make_unique<Split>(TextPattern(Regex(pattern)), behavior, false);
}

std::unique_ptr<const PreTokenizer> make_digits(const JsonPart& json) {
    return split_at(R"(\p{N})", json.flag("individual_digits", false) ? SplitBehavior::Isolated
                                                                      : SplitBehavior::Contiguous);
}

std::unique_ptr<const PreTokenizer> make_punctuation(const JsonPart& json) {
    const SplitBehavior behavior =
        json.find("behavior") ? read_split_behavior(json) : SplitBehavior::Isolated;
    return split_at(R"([\p{P}$+<=>^`|~])", behavior);
}

std::unique_ptr<const PreTokenizer> make(const JsonPart& json, int depth);

std::unique_ptr<const PreTokenizer> make_sequence(const JsonPart& json, int depth) {
    std::vector<std::unique_ptr<const PreTokenizer>> members;
    for (const JsonPart& member : json.items("pretokenizers")) {
        members.push_back(make(member, depth + 1));
    }
    return std::make_unique<PreTokenizerSequence>(std::move(members));
}

std::unique_ptr<const PreTokenizer> make(const JsonPart& json, int depth) {
    if (depth > kMaxDepth) json.unsupported("sequences nested too deeply");
    const std::string type = json.text("type");
    if (type == "Sequence") return make_sequence(json, depth);
    if (type == "Split") {
        return std::make_unique<Split>(TextPattern(json.at("pattern")), read_split_behavior(json),
                                       json.flag("invert", false));
    }
    if (type == "ByteLevel") {
        return std::make_unique<ByteLevelPreTokenizer>(json.flag("add_prefix_space", true),
                                                       json.flag("use_regex", true));
    }
    if (type == "Metaspace") return std::make_unique<MetaspacePreTokenizer>(read_metaspace(json));
    if (type == "Digits") return make_digits(json);
    if (type == "Punctuation") return make_punctuation(json);
    if (type == "WhitespaceSplit") return split_at(R"(\s)", SplitBehavior::Removed);
    json.unsupported(fmt::format("unknown pre-tokenizer \"{}\"", type));
}

}  // namespace

std::unique_ptr<const PreTokenizer> make_pre_tokenizer(const JsonPart& json) {
    return make(json, 0);
}

PieceText pre_tokenize(const PreTokenizer* pre_tokenizer, std::string text, bool is_text_start,
                       RegexScratch& scratch) {
    PieceText result{std::move(text), {}, is_text_start};
    if (result.text.empty()) return result;
    result.pieces.push_back({0, result.text.size()});
    if (pre_tokenizer != nullptr) pre_tokenizer->apply(result, scratch);
    return result;
}

}  // namespace espalier
