#include "tokenizer/text_pattern.h"

namespace espalier {
namespace {

std::variant<std::string, Regex> read_pattern(const JsonPart& json) {
    if (json.find("String")) return json.text("String");
    if (json.find("Regex")) return Regex(json.text("Regex"));
    json.malformed("should hold \"String\" or \"Regex\"");
}

}  // namespace

TextPattern::TextPattern(const JsonPart& json) : pattern_(read_pattern(json)) {}

void TextPattern::find_all(std::string_view text, RegexScratch& scratch,
                           std::vector<TextRange>& matches) const {
    if (const auto* regex = std::get_if<Regex>(&pattern_)) {
        return regex->find_all(text, scratch, matches);
    }
    const auto& wanted = std::get<std::string>(pattern_);
    if (wanted.empty()) return;
    for (std::size_t i = text.find(wanted); i != std::string_view::npos;
         i = text.find(wanted, i + wanted.size())) {
        matches.push_back({i, i + wanted.size()});
    }
}

std::string TextPattern::replace_all(std::string_view text, std::string_view replacement,
                                     RegexScratch& scratch) const {
    std::vector<TextRange> matches;
    find_all(text, scratch, matches);
    std::string result;
    result.reserve(text.size());
    std::size_t done = 0;
    for (const TextRange match : matches) {
        result += text.substr(done, match.begin - done);
        result += replacement;
        done = match.end;
    }
    result += text.substr(done);
    return result;
}

}  // namespace espalier
