#define PCRE2_CODE_UNIT_WIDTH 8

#include "tokenizer/regex.h"

#include <array>
#include <fmt/format.h>
#include <new>

#include <pcre2.h>

#include "base/error.h"
#include "tokenizer/regex_syntax.h"
#include "tokenizer/utf8_cursor.h"

namespace espalier {
namespace {

constexpr std::size_t kJitStackStart = 32U << 10;
constexpr std::size_t kJitStackMax = 1U << 20;
constexpr std::uint32_t kMatchLimit = 20'000'000;
constexpr std::uint32_t kHeapLimitKiB = 256U << 10;
constexpr std::size_t kNoMatch = static_cast<std::size_t>(-1);

template <typename T>
T* checked(T* pointer) {
    if (pointer == nullptr) throw std::bad_alloc();
    return pointer;
}

Error unusable(std::string_view pattern, int pcre2_error) {
    std::array<PCRE2_UCHAR, 256> text{};
    pcre2_get_error_message(pcre2_error, text.data(), text.size());
    return {ErrorCode::FileUnsupported,
            fmt::format("The tokenizer's regular expression \"{}\" cannot be used: {}.", pattern,
                        reinterpret_cast<const char*>(text.data())),
            "Espalier does not know this kind of tokenizer; please report the model."};
}

std::string over_alphabet(const RegexSyntax& syntax, const Alphabet& alphabet) {
    std::string result;
    for (const RegexSyntax::Part& part : syntax.parts) {
        result += part.syntax;
        if (part.set < 0) continue;
        const auto& symbols = alphabet.symbols_of_set(static_cast<std::size_t>(part.set));
        if (symbols.empty()) {
            result += "(?!)";
            continue;
        }
        result += '[';
        for (const std::uint8_t symbol : symbols) result += fmt::format("\\x{:02x}", symbol);
        result += ']';
    }
    return result;
}

}  // namespace

void RegexScratch::Free::operator()(pcre2_match_data* data) const noexcept {
    pcre2_match_data_free(data);
}
void RegexScratch::Free::operator()(pcre2_match_context* context) const noexcept {
    pcre2_match_context_free(context);
}
void RegexScratch::Free::operator()(pcre2_jit_stack* stack) const noexcept {
    pcre2_jit_stack_free(stack);
}
void Regex::Free::operator()(pcre2_code* code) const noexcept { pcre2_code_free(code); }

RegexScratch::RegexScratch()
    : stack_(pcre2_jit_stack_create(kJitStackStart, kJitStackMax, nullptr)),
      context_(checked(pcre2_match_context_create(nullptr))),
      data_(checked(pcre2_match_data_create(1, nullptr))) {
    pcre2_set_match_limit(context_.get(), kMatchLimit);
    pcre2_set_heap_limit(context_.get(), kHeapLimitKiB);
    if (stack_) pcre2_jit_stack_assign(context_.get(), nullptr, stack_.get());
}

Regex::Regex(std::string_view pattern) : Regex(pattern, parse_regex(pattern)) {}

Regex::Regex(std::string_view pattern, const RegexSyntax& syntax)
    : pattern_(pattern), alphabet_(syntax.sets) {
    const std::string bytes = over_alphabet(syntax, alphabet_);
    int error = 0;
    PCRE2_SIZE offset = 0;
    code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(bytes.data()), bytes.size(), 0, &error,
                              &offset, nullptr));
    if (!code_) throw unusable(pattern, error);
    has_jit_ = pcre2_jit_compile(code_.get(), PCRE2_JIT_COMPLETE) == 0;
}

TextRange Regex::find(std::size_t start, RegexScratch& scratch) const {
    const auto subject = reinterpret_cast<PCRE2_SPTR>(scratch.symbols_.data());
    const std::size_t size = scratch.symbols_.size();
    int result = PCRE2_ERROR_JIT_STACKLIMIT;
    if (has_jit_) {
        result = pcre2_jit_match(code_.get(), subject, size, start, 0, scratch.data_.get(),
                                 scratch.context_.get());
    }
    if (result == PCRE2_ERROR_JIT_STACKLIMIT) {  // the interpreter keeps its stack on the heap
        result = pcre2_match(code_.get(), subject, size, start, PCRE2_NO_JIT, scratch.data_.get(),
                             scratch.context_.get());
    }
    if (result == PCRE2_ERROR_NOMATCH) return {kNoMatch, kNoMatch};
    if (result < 0) throw unusable(pattern_, result);
    const PCRE2_SIZE* offsets = pcre2_get_ovector_pointer(scratch.data_.get());
    return {offsets[0], offsets[1]};
}

void Regex::find_all(std::string_view text, RegexScratch& scratch,
                     std::vector<TextRange>& matches) const {
    scratch.symbols_.resize(text.size());
    std::size_t size = 0;
    for (std::size_t i = 0; i < text.size();) {
        scratch.symbols_[size++] = alphabet_.symbol_of(next_code_point(text, i));
    }
    scratch.symbols_.resize(size);
    std::size_t character = 0;
    std::size_t byte = 0;
    const auto byte_of = [&](std::size_t target) {  // targets only ever grow
        if (scratch.symbols_.size() == text.size()) return target;
        for (; character < target; ++character) byte += utf8_length(text[byte]);
        return byte;
    };
    const std::size_t count = scratch.symbols_.size();
    std::size_t last_end = kNoMatch;
    for (std::size_t start = 0; start <= count;) {
        const TextRange found = find(start, scratch);
        if (found.begin == kNoMatch) break;
        const bool is_empty = found.begin == found.end;
        if (!is_empty || found.end != last_end) {
            const std::size_t begin = byte_of(found.begin);
            matches.push_back({begin, byte_of(found.end)});
        }
        last_end = found.end;
        start = is_empty ? found.end + 1 : found.end;
    }
}

}  // namespace espalier
