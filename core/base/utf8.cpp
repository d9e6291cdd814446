#include "base/utf8.h"

#include <cstdint>

namespace espalier {
namespace {

struct Step {
    std::size_t length;  ///< bytes taken: a character, or a maximal ill-formed prefix
    bool valid;
};

/// Unicode 3.9, table 3-7: which second byte each leading byte allows.
Step step(std::string_view text) noexcept {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
    const std::uint8_t lead = byte(0);
    if (lead < 0x80) return {1, true};
    if (lead < 0xC2 || lead > 0xF4) return {1, false};
    const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    const std::uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    const std::uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    for (std::size_t i = 1; i < length; ++i) {
        const bool good = i < text.size() && byte(i) >= (i == 1 ? low : 0x80) &&
                          byte(i) <= (i == 1 ? high : 0xBF);
        if (!good) return {i, false};
    }
    return {length, true};
}

}  // namespace

bool is_valid_utf8(std::string_view text) noexcept {
    while (!text.empty()) {
        const Step next = step(text);
        if (!next.valid) return false;
        text.remove_prefix(next.length);
    }
    return true;
}

std::string replace_invalid_utf8(std::string_view text) {
    std::string result;
    result.reserve(text.size());
    while (!text.empty()) {
        const Step next = step(text);
        result += next.valid ? text.substr(0, next.length) : std::string_view("\xEF\xBF\xBD");
        text.remove_prefix(next.length);
    }
    return result;
}

}  // namespace espalier
