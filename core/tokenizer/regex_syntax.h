#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/code_points.h"

namespace espalier {

/// A regular expression taken apart: fragments of PCRE2 syntax, and between them sets of code
/// points (every character and class is one).
struct RegexSyntax {
    struct Part {
        std::string syntax;
        int set = -1;  ///< index into sets; then `syntax` is empty
    };
    std::vector<Part> parts;
    std::vector<CodePoints> sets;  ///< all different
};

/// Reads Oniguruma's default (Ruby-like) dialect, which tokenizer.json is written in: `{n,m}+` is
/// not possessive, `^` and `$` are line anchors, `(?i)` reaches to the end of its group and takes
/// the alternatives along, classes nest and intersect. Case folding is one character for one.
/// @throws Error FileUnsupported for what cannot be expressed, such as back-references
RegexSyntax parse_regex(std::string_view pattern);

}  // namespace espalier
