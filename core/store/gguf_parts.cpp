#include "store/gguf_parts.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace espalier {
namespace {

constexpr std::string_view kExtension = ".gguf";
constexpr std::size_t kDigits = 5;
constexpr std::int64_t kMostParts = 1000;  ///< a name cannot ask for more work than this

char lower(char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

bool ends_alike(std::string_view text, std::string_view end) {
    if (text.size() < end.size()) return false;
    return std::equal(end.begin(), end.end(), text.end() - static_cast<std::ptrdiff_t>(end.size()),
                      [](char a, char b) { return a == lower(b); });
}

/// The number of five digits at the end of `text`, which loses them; -1 if there is none.
std::int64_t take_number(std::string_view& text) {
    if (text.size() < kDigits) return -1;
    std::int64_t number = 0;
    for (const char digit : text.substr(text.size() - kDigits)) {
        if (digit < '0' || digit > '9') return -1;
        number = number * 10 + (digit - '0');
    }
    text.remove_suffix(kDigits);
    return number;
}

bool take(std::string_view& text, std::string_view end) {
    if (!text.ends_with(end)) return false;
    text.remove_suffix(end.size());
    return true;
}

}  // namespace

std::string GgufParts::name(std::int64_t number) const {
    if (count == 0) return stem + extension;
    return fmt::format("{}-{:05}-of-{:05}{}", stem, number, count, extension);
}

std::vector<std::string> GgufParts::names() const {
    std::vector<std::string> all;
    for (std::int64_t number = 1; number <= std::max<std::int64_t>(1, count); ++number) {
        all.push_back(name(number));
    }
    return all;
}

bool is_gguf_name(std::string_view name) {
    return ends_alike(name, kExtension) && !name.starts_with("mmproj") &&
           name.size() > kExtension.size();
}

GgufParts gguf_parts(std::string_view name) {
    const std::string_view extension = name.substr(name.size() - kExtension.size());
    std::string_view stem = name.substr(0, name.size() - kExtension.size());
    std::string_view rest = stem;
    const std::int64_t count = take_number(rest);
    if (count > 0 && count <= kMostParts && take(rest, "-of-")) {
        const std::int64_t number = take_number(rest);
        if (number > 0 && number <= count && take(rest, "-") && !rest.empty()) {
            return {std::string(rest), count, std::string(extension)};
        }
    }
    return {std::string(stem), 0, std::string(extension)};
}

std::optional<std::string> unfinished_gguf(std::string_view name) {
    constexpr std::array<std::string_view, 6> kMarks{".part",     ".partial",    ".incomplete",
                                                     ".download", ".crdownload", ".tmp"};
    if (name.starts_with("downloading_")) name.remove_prefix(12);
    for (const std::string_view mark : kMarks) {
        std::string_view whole = name;
        if (take(whole, mark) && is_gguf_name(whole)) return std::string(whole);
    }
    return std::nullopt;
}

}  // namespace espalier
