#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tokenizer/code_points.h"

namespace espalier {

/// Code points that a family of sets cannot tell apart share one byte. A pattern over those bytes
/// needs no Unicode at all: matching does not depend on the engine's tables and runs on bytes.
class Alphabet {
public:
    /// @throws Error FileUnsupported if more than 256 symbols are needed
    explicit Alphabet(std::span<const CodePoints> sets);

    char symbol_of(char32_t code_point) const noexcept {
        return static_cast<char>(symbols_[pages_[code_point >> 8U] * 256U + (code_point & 0xFFU)]);
    }
    /// The symbols of sets[index], ascending.
    const std::vector<std::uint8_t>& symbols_of_set(std::size_t index) const {
        return symbols_of_set_[index];
    }

private:
    static constexpr std::size_t kNumPages = 0x110000 / 256;
    std::array<std::uint16_t, kNumPages> pages_{};  ///< which block of 256 in symbols_
    std::vector<std::uint8_t> symbols_;
    std::vector<std::vector<std::uint8_t>> symbols_of_set_;
};

}  // namespace espalier
