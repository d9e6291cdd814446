#include "tokenizer/unicode_classes.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>
#include <unicode/uchar.h>
#include <unicode/uset.h>

namespace espalier {
namespace {

constexpr std::uint32_t kCategoryStarts[] = {
#include "tokenizer/unicode_categories.inc"
};

constexpr char32_t kLastCodePoint = 0x10FFFF;

constexpr std::array<CodePointRange, 10> kWhiteSpace{{{0x09, 0x0D},
                                                      {0x20, 0x20},
                                                      {0x85, 0x85},
                                                      {0xA0, 0xA0},
                                                      {0x1680, 0x1680},
                                                      {0x2000, 0x200A},
                                                      {0x2028, 0x2029},
                                                      {0x202F, 0x202F},
                                                      {0x205F, 0x205F},
                                                      {0x3000, 0x3000}}};

/// Symbols that are Alphabetic nevertheless.
const CodePoints& circled_letters() {
    static const CodePoints letters{
        {0x24B6, 0x24E9}, {0x1F130, 0x1F149}, {0x1F150, 0x1F169}, {0x1F170, 0x1F189}};
    return letters;
}

CodePoints han_script() {
    return {{0x2E80, 0x2E99},   {0x2E9B, 0x2EF3},   {0x2F00, 0x2FD5},   {0x3005, 0x3005},
            {0x3007, 0x3007},   {0x3021, 0x3029},   {0x3038, 0x303B},   {0x3400, 0x4DBF},
            {0x4E00, 0x9FFF},   {0xF900, 0xFA6D},   {0xFA70, 0xFAD9},   {0x16FE2, 0x16FE3},
            {0x16FF0, 0x16FF1}, {0x20000, 0x2A6DF}, {0x2A700, 0x2B739}, {0x2B740, 0x2B81D},
            {0x2B820, 0x2CEA1}, {0x2CEB0, 0x2EBE0}, {0x2EBF0, 0x2EE5D}, {0x2F800, 0x2FA1D},
            {0x30000, 0x3134A}, {0x31350, 0x323AF}};
}

/// A script or binary property, from the platform's tables.
std::optional<CodePoints> platform_property(const std::string& name) {
    std::u16string wide(name.begin(), name.end());
    UErrorCode status = U_ZERO_ERROR;
    USet* set = uset_openEmpty();
    uset_applyPropertyAlias(set, wide.data(), static_cast<int>(wide.size()), u"", 0, &status);
    std::optional<CodePoints> result;
    if (U_SUCCESS(status)) {
        result.emplace();
        for (int i = 0, count = uset_getItemCount(set); i < count; ++i) {
            UChar32 first = 0;
            UChar32 last = 0;
            uset_getItem(set, i, &first, &last, nullptr, 0, &status);
            result->add({static_cast<char32_t>(first), static_cast<char32_t>(last)});
        }
    }
    uset_close(set);
    return result;
}

CodePoints complement_of(CodePoints set) {
    set.complement();
    return set;
}

CodePoints alphabetic() {
    CodePoints set = general_categories(U_GC_L_MASK | U_GC_NL_MASK);
    if (const auto known = platform_property("Alphabetic")) set.add(*known);
    return set;
}

CodePoints joined(CodePoints set, const CodePoints& more) {
    set.add(more);
    return set;
}

std::optional<CodePoints> posix_class(std::string_view name) {
    if (name == "alpha") return alphabetic();
    if (name == "alnum") return joined(alphabetic(), general_categories(U_GC_ND_MASK));
    if (name == "digit") return general_categories(U_GC_ND_MASK);
    if (name == "space" || name == "whitespace") return white_space_class();
    if (name == "punct") return general_categories(U_GC_P_MASK | U_GC_S_MASK);
    if (name == "cntrl") return general_categories(U_GC_CC_MASK);
    if (name == "blank") return joined(general_categories(U_GC_ZS_MASK), CodePoints(U'\t'));
    if (name == "xdigit") return CodePoints{{'0', '9'}, {'A', 'F'}, {'a', 'f'}};
    if (name == "word") return word_class();
    if (name == "any") return complement_of({});
    if (name == "ascii") return CodePoints{{0, 0x7F}};
    return std::nullopt;
}

}  // namespace

CodePoints general_categories(std::uint32_t mask) {
    CodePoints result;
    const std::size_t count = std::size(kCategoryStarts);
    for (std::size_t i = 0; i < count; ++i) {
        if ((mask >> (kCategoryStarts[i] & 31U) & 1U) == 0) continue;
        const char32_t last = i + 1 < count ? (kCategoryStarts[i + 1] >> 5U) - 1 : kLastCodePoint;
        result.add({kCategoryStarts[i] >> 5U, last});
    }
    return result;
}

std::optional<CodePoints> property_class(std::string_view name) {
    std::string plain;
    for (const char c : name) {
        if (c == ' ' || c == '_' || c == '-') continue;
        if (static_cast<unsigned char>(c) >= 0x80) return std::nullopt;
        plain.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
    }
    if (plain.empty() || plain.size() > 64) return std::nullopt;
    const int mask = u_getPropertyValueEnum(UCHAR_GENERAL_CATEGORY_MASK, plain.c_str());
    // "punct" is both a category and a POSIX bracket; in \p{…} Oniguruma takes the bracket.
    if (auto set = posix_class(plain)) return set;
    if (mask != UCHAR_INVALID_CODE) return general_categories(static_cast<std::uint32_t>(mask));
    if (plain == "han" || plain == "hani") return han_script();
    return platform_property(plain);
}

bool is_white_space(char32_t code_point) noexcept {
    return std::any_of(kWhiteSpace.begin(), kWhiteSpace.end(), [&](CodePointRange range) {
        return range.first <= code_point && code_point <= range.last;
    });
}

CodePoints white_space_class() {
    CodePoints result;
    for (const CodePointRange range : kWhiteSpace) result.add(range);
    return result;
}

CodePoints word_class() {
    return joined(general_categories(U_GC_L_MASK | U_GC_M_MASK | U_GC_N_MASK | U_GC_PC_MASK),
                  circled_letters());
}

CodePoints uts18_word_class() {
    CodePoints set = joined(
        general_categories(U_GC_L_MASK | U_GC_M_MASK | U_GC_ND_MASK | U_GC_NL_MASK | U_GC_PC_MASK),
        circled_letters());
    set.add({0x200C, 0x200D});
    return set;
}

}  // namespace espalier
