#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/alphabet.h"

struct pcre2_real_code_8;
struct pcre2_real_match_data_8;
struct pcre2_real_match_context_8;
struct pcre2_real_jit_stack_8;

namespace espalier {

/// Bytes [begin, end) of a text.
struct TextRange {
    std::size_t begin;
    std::size_t end;
    bool operator==(const TextRange&) const = default;
};

/// What matching needs to write to; one a thread, good for any Regex.
class RegexScratch {
public:
    RegexScratch();

private:
    friend class Regex;
    struct Free {
        void operator()(pcre2_real_match_data_8* data) const noexcept;
        void operator()(pcre2_real_match_context_8* context) const noexcept;
        void operator()(pcre2_real_jit_stack_8* stack) const noexcept;
    };
    std::unique_ptr<pcre2_real_jit_stack_8, Free> stack_;
    std::unique_ptr<pcre2_real_match_context_8, Free> context_;
    std::unique_ptr<pcre2_real_match_data_8, Free> data_;
    std::string symbols_;
};

/// A regular expression of tokenizer.json (see parse_regex), run by PCRE2 over an alphabet of its
/// own.
class Regex {
public:
    /// @throws Error FileUnsupported
    explicit Regex(std::string_view pattern);

    /// Appends all matches in `text`, which must be UTF-8, left to right, without overlap.
    /// @throws Error FileUnsupported if the pattern needs too many steps on this text
    void find_all(std::string_view text, RegexScratch& scratch,
                  std::vector<TextRange>& matches) const;

private:
    explicit Regex(std::string_view pattern, const struct RegexSyntax& syntax);
    TextRange find(std::size_t start, RegexScratch& scratch) const;

    struct Free {
        void operator()(pcre2_real_code_8* code) const noexcept;
    };
    std::string pattern_;
    Alphabet alphabet_;
    std::unique_ptr<pcre2_real_code_8, Free> code_;
    bool has_jit_ = false;
};

}  // namespace espalier
