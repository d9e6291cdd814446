#include "tokenizer/code_points.h"

#include <new>
#include <unicode/uset.h>
#include <utility>

namespace espalier {
namespace {

USet* checked(USet* set) {
    if (set == nullptr) throw std::bad_alloc();
    return set;
}

UChar32 icu(char32_t code_point) noexcept { return static_cast<UChar32>(code_point); }

}  // namespace

void CodePoints::Close::operator()(USet* set) const noexcept { uset_close(set); }

CodePoints::CodePoints() : set_(checked(uset_openEmpty())) {}

CodePoints::CodePoints(char32_t only) : CodePoints() { add({only, only}); }

CodePoints::CodePoints(std::initializer_list<CodePointRange> ranges) : CodePoints() {
    for (const CodePointRange range : ranges) add(range);
}

CodePoints::CodePoints(const CodePoints& other) : set_(checked(uset_clone(other.set_.get()))) {}

CodePoints& CodePoints::operator=(const CodePoints& other) {
    if (this != &other) set_.reset(checked(uset_clone(other.set_.get())));
    return *this;
}

void CodePoints::add(CodePointRange range) {
    uset_addRange(set_.get(), icu(range.first), icu(range.last));
}

void CodePoints::add(const CodePoints& other) { uset_addAll(set_.get(), other.set_.get()); }

void CodePoints::retain(const CodePoints& other) { uset_retainAll(set_.get(), other.set_.get()); }

void CodePoints::complement() { uset_complement(set_.get()); }

void CodePoints::close_over_case() {
    uset_closeOver(set_.get(), USET_CASE_INSENSITIVE);
    uset_removeAllStrings(set_.get());  // foldings of several characters
}

bool CodePoints::contains(char32_t code_point) const noexcept {
    return uset_contains(set_.get(), icu(code_point)) != 0;
}

std::vector<CodePointRange> CodePoints::ranges() const {
    std::vector<CodePointRange> result;
    const int count = uset_getItemCount(set_.get());
    for (int i = 0; i < count; ++i) {
        UChar32 first = 0;
        UChar32 last = 0;
        UErrorCode status = U_ZERO_ERROR;
        if (uset_getItem(set_.get(), i, &first, &last, nullptr, 0, &status) != 0) break;
        result.push_back({static_cast<char32_t>(first), static_cast<char32_t>(last)});
    }
    return result;
}

bool CodePoints::operator==(const CodePoints& other) const noexcept {
    return uset_equals(set_.get(), other.set_.get()) != 0;
}

}  // namespace espalier
