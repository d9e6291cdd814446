#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/checked.h"
#include "formats/gguf_value.h"

namespace espalier {

inline constexpr std::string_view kGgufMagic = "GGUF";
inline constexpr std::uint32_t kGgufVersion = 3;
inline constexpr std::size_t kGgufMaxDims = 4;
inline constexpr std::size_t kGgufMaxNameBytes = 63;
inline constexpr std::string_view kGgufAlignmentKey = "general.alignment";

/// 32 without the key; nothing if it is not a u32 power of two.
inline std::optional<std::uint32_t> gguf_alignment(const GgufMetadata& metadata) noexcept {
    constexpr std::uint32_t kDefault = 32;
    const GgufValue* value = metadata.find(kGgufAlignmentKey);
    if (!value) return kDefault;
    const auto* alignment = std::get_if<std::uint32_t>(value);
    if (!alignment || *alignment == 0 || (*alignment & (*alignment - 1)) != 0) return std::nullopt;
    return *alignment;
}

/// The next multiple of `alignment`, a power of two; nothing on overflow.
inline std::optional<std::uint64_t> align_up(std::uint64_t offset,
                                             std::uint64_t alignment) noexcept {
    const auto sum = checked_add(offset, alignment - 1);
    if (!sum) return std::nullopt;
    return *sum & ~(alignment - 1);
}

}  // namespace espalier
