#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "tokenizer/json_part.h"
#include "tokenizer/regex.h"

namespace espalier {

/// {"String": …} or {"Regex": …}.
class TextPattern {
public:
    explicit TextPattern(const JsonPart& json);
    explicit TextPattern(Regex regex) : pattern_(std::move(regex)) {}

    void find_all(std::string_view text, RegexScratch& scratch,
                  std::vector<TextRange>& matches) const;
    std::string replace_all(std::string_view text, std::string_view replacement,
                            RegexScratch& scratch) const;

private:
    std::variant<std::string, Regex> pattern_;
};

}  // namespace espalier
