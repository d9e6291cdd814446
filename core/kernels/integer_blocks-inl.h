// Codes of quantised blocks as vectors of 16-bit integers, for every target of Highway: included
// once per target, hence no #pragma once.
#if defined(ESPALIER_KERNELS_INTEGER_BLOCKS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ESPALIER_KERNELS_INTEGER_BLOCKS_INL_H_
#undef ESPALIER_KERNELS_INTEGER_BLOCKS_INL_H_
#else
#define ESPALIER_KERNELS_INTEGER_BLOCKS_INL_H_
#endif

#include <array>
#include <cstddef>
#include <cstdint>
#include <hwy/highway.h>

#include "kernels/half.h"
#include "kernels/k_scales.h"

// Each struct describes one type. codes(block, header, emit) calls emit(place, vector) for all
// integers of a block, in the order of IntegerRows, scales of sub-blocks multiplied in: 12 bits and
// a sign at most.

HWY_BEFORE_NAMESPACE();
namespace espalier::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// One parity of a group of 32 at most.
using D16 = hn::CappedTag<std::int16_t, 16>;
using DU16 = hn::RebindToUnsigned<D16>;
using V16 = hn::VFromD<D16>;
using VU16 = hn::VFromD<DU16>;
inline constexpr std::size_t kLanes16 = hn::MaxLanes(D16());
/// Bytes that fill a vector.
inline constexpr std::size_t kVectorBytes = 2 * kLanes16;

/// What a block says about all of its values: value = scale * integer.
struct ScaleHeader {
    float scale;
};

/// value = scale * integer - minimum_scale * groups.mins[group of 32].
struct MinimumHeader {
    float scale;
    float minimum_scale;
    ScalesAndMins groups;
};

HWY_INLINE VU16 load_bytes(const std::byte* bytes) {
    const hn::Repartition<std::uint8_t, DU16> d8;
    return hn::BitCast(DU16(), hn::LoadU(d8, reinterpret_cast<const std::uint8_t*>(bytes)));
}

HWY_INLINE VU16 mask(VU16 v, std::uint16_t bits) { return hn::And(v, hn::Set(DU16(), bits)); }
HWY_INLINE V16 as_signed(VU16 v) { return hn::BitCast(D16(), v); }

/// Bytes of a group: those at even places, and those at odd ones.
template <typename Emit>
HWY_INLINE void emit_unsigned_bytes(std::size_t place, VU16 v, const Emit& emit) {
    emit(place, as_signed(mask(v, 0xFF)));
    emit(place + 16, as_signed(hn::ShiftRight<8>(v)));
}

struct BlockQ8_0 {
    static constexpr std::size_t kElements = 32;
    static constexpr std::size_t kBytes = 34;
    static constexpr bool kHasMinimum = false;

    static HWY_INLINE ScaleHeader header(const std::byte* block) { return {load_half(block)}; }

    template <typename Emit>
    static HWY_INLINE void codes(const std::byte* block, const ScaleHeader&, const Emit& emit) {
        for (std::size_t i = 0; i < 32; i += kVectorBytes) {
            const V16 v = as_signed(load_bytes(block + 2 + i));
            emit(i / 2, hn::ShiftRight<8>(hn::ShiftLeft<8>(v)));
            emit(16 + i / 2, hn::ShiftRight<8>(v));
        }
    }
};

/// 16 bytes of nibbles of a block of 32: the low ones are its first half, the high ones its second.
/// Calls emit_bytes(first element, vector of bytes in order).
template <typename EmitBytes, typename D8 = hn::Repartition<std::uint8_t, DU16>>
HWY_INLINE void split_nibbles(const std::byte* nibbles, const EmitBytes& emit_bytes) {
    const hn::CappedTag<std::uint8_t, 16> d16;
    const auto packed = hn::LoadU(d16, reinterpret_cast<const std::uint8_t*>(nibbles));
    const auto low = hn::And(packed, hn::Set(d16, std::uint8_t{0x0F}));
    const auto high = hn::ShiftRight<4>(packed);
    if constexpr (hn::MaxLanes(D8()) == 32) {
        emit_bytes(std::size_t{0}, hn::Combine(D8(), high, low));
    } else {
        emit_bytes(std::size_t{0}, low);
        emit_bytes(std::size_t{16}, high);
    }
}

struct BlockQ4_0 {
    static constexpr std::size_t kElements = 32;
    static constexpr std::size_t kBytes = 18;
    static constexpr bool kHasMinimum = false;

    static HWY_INLINE ScaleHeader header(const std::byte* block) { return {load_half(block)}; }

    template <typename Emit>
    static HWY_INLINE void codes(const std::byte* block, const ScaleHeader&, const Emit& emit) {
        const auto offset = hn::Set(D16(), std::int16_t{8});
        split_nibbles(block + 2, [&](std::size_t first, auto bytes) HWY_ATTR {
            const auto shifted = [&](std::size_t place, V16 v)
                                     HWY_ATTR { emit(place, hn::Sub(v, offset)); };
            emit_unsigned_bytes(first / 2, hn::BitCast(DU16(), bytes), shifted);
        });
    }
};

struct BlockQ5_0 {
    static constexpr std::size_t kElements = 32;
    static constexpr std::size_t kBytes = 22;
    static constexpr bool kHasMinimum = false;

    static HWY_INLINE ScaleHeader header(const std::byte* block) { return {load_half(block)}; }

    template <typename Emit>
    static HWY_INLINE void codes(const std::byte* block, const ScaleHeader&, const Emit& emit) {
        const auto high_bits = load<std::uint32_t>(block + 2);
        const auto offset = hn::Set(D16(), std::int16_t{16});
        split_nibbles(block + 6, [&](std::size_t first, auto bytes) HWY_ATTR {
            const auto with_bit = hn::Or(bytes, fifth_bits(high_bits, first));
            const auto shifted = [&](std::size_t place, V16 v)
                                     HWY_ATTR { emit(place, hn::Sub(v, offset)); };
            emit_unsigned_bytes(first / 2, hn::BitCast(DU16(), with_bit), shifted);
        });
    }

    /// Bit first + i of `bits` as 16 in byte i.
    static HWY_INLINE auto fifth_bits(std::uint32_t bits, std::size_t first) {
        const hn::Repartition<std::uint8_t, DU16> d8;
        const hn::Repartition<std::uint32_t, DU16> d32;
        HWY_ALIGN static constexpr std::uint8_t kSource[32] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1,
                                                               1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2,
                                                               2, 2, 3, 3, 3, 3, 3, 3, 3, 3};
        HWY_ALIGN static constexpr std::uint8_t kBit[16] = {1, 2, 4, 8, 16, 32, 64, 128,
                                                            1, 2, 4, 8, 16, 32, 64, 128};
        const auto spread = hn::TableLookupBytes(hn::BitCast(d8, hn::Set(d32, bits)),
                                                 hn::LoadU(d8, kSource + first));
        const auto bit = hn::LoadDup128(d8, kBit);
        const auto is_set = hn::Eq(hn::And(spread, bit), bit);
        return hn::IfThenElseZero(is_set, hn::Set(d8, std::uint8_t{16}));
    }
};

struct BlockQ4_K {
    static constexpr std::size_t kElements = 256;
    static constexpr std::size_t kBytes = 144;
    static constexpr bool kHasMinimum = true;

    static HWY_INLINE MinimumHeader header(const std::byte* block) {
        return {load_half(block), load_half(block + 2), unpack_scales(block + 4)};
    }

    template <typename Emit>
    static HWY_INLINE void codes(const std::byte* block, const MinimumHeader& header,
                                 const Emit& emit) {
        const std::byte* nibbles = block + 16;
        for (std::size_t pair = 0; pair < 4; ++pair) {
            const auto low_scale =
                hn::Set(D16(), static_cast<std::int16_t>(header.groups.scales[2 * pair]));
            const auto high_scale =
                hn::Set(D16(), static_cast<std::int16_t>(header.groups.scales[2 * pair + 1]));
            for (std::size_t i = 0; i < 32; i += kVectorBytes) {
                const VU16 v = load_bytes(nibbles + 32 * pair + i);
                const std::size_t place = 64 * pair + i / 2;
                emit(place, hn::Mul(as_signed(mask(v, 15)), low_scale));
                emit(place + 16, hn::Mul(as_signed(mask(hn::ShiftRight<8>(v), 15)), low_scale));
                emit(place + 32, hn::Mul(as_signed(mask(hn::ShiftRight<4>(v), 15)), high_scale));
                emit(place + 48, hn::Mul(as_signed(hn::ShiftRight<12>(v)), high_scale));
            }
        }
    }
};

struct BlockQ5_K {
    static constexpr std::size_t kElements = 256;
    static constexpr std::size_t kBytes = 176;
    static constexpr bool kHasMinimum = true;

    static HWY_INLINE MinimumHeader header(const std::byte* block) {
        return {load_half(block), load_half(block + 2), unpack_scales(block + 4)};
    }

    template <typename Emit>
    static HWY_INLINE void codes(const std::byte* block, const MinimumHeader& header,
                                 const Emit& emit) {
        const std::byte* nibbles = block + 48;
        for (std::size_t i = 0; i < 32; i += kVectorBytes) {
            VU16 high = load_bytes(block + 16 + i);  // bit j belongs to group j
            for (std::size_t group = 0; group < 8; ++group) {
                const VU16 v = load_bytes(nibbles + 32 * (group / 2) + i);
                const VU16 nibble = mask(group % 2 == 0 ? v : hn::ShiftRight<4>(v), 0x0F0F);
                const VU16 bytes = hn::Or(nibble, hn::ShiftLeft<4>(mask(high, 0x0101)));
                high = hn::ShiftRight<1>(high);
                const auto factor =
                    hn::Set(D16(), static_cast<std::int16_t>(header.groups.scales[group]));
                const auto scaled = [&](std::size_t place, V16 code)
                                        HWY_ATTR { emit(place, hn::Mul(code, factor)); };
                emit_unsigned_bytes(32 * group + i / 2, bytes, scaled);
            }
        }
    }
};

struct BlockQ6_K {
    static constexpr std::size_t kElements = 256;
    static constexpr std::size_t kBytes = 210;
    static constexpr bool kHasMinimum = false;

    static HWY_INLINE ScaleHeader header(const std::byte* block) {
        return {load_half(block + 208)};
    }

    /// Scales of the 16 elements from `i` of a group and, in a longer vector, of the next 16.
    template <typename D = D16>
    static HWY_INLINE V16 scales(const std::byte* of_group, std::size_t i) {
        const auto at = [&](std::size_t j) HWY_ATTR {
            return std::int16_t{static_cast<std::int8_t>(of_group[j])};
        };
        if constexpr (hn::MaxLanes(D()) == 16) {
            const hn::Half<D> half;
            return hn::Combine(D(), hn::Set(half, at(1)), hn::Set(half, at(0)));
        } else {
            return hn::Set(D(), at(i / 16));
        }
    }

    template <typename Emit>
    static HWY_INLINE void codes(const std::byte* block, const ScaleHeader&, const Emit& emit) {
        const auto offset = hn::Set(D16(), std::int16_t{32});
        for (std::size_t half = 0; half < 2; ++half) {
            for (std::size_t i = 0; i < 32; i += kVectorBytes) {
                const std::byte* low = block + 64 * half + i;
                VU16 high = load_bytes(block + 128 + 32 * half + i);  // two bits a group
                const VU16 first = load_bytes(low);
                const VU16 second = load_bytes(low + 32);
                for (std::size_t group = 0; group < 4; ++group) {
                    const VU16 packed = group % 2 == 0 ? first : second;
                    const VU16 nibble =
                        mask(group < 2 ? packed : hn::ShiftRight<4>(packed), 0x0F0F);
                    const VU16 bytes = hn::Or(nibble, hn::ShiftLeft<4>(mask(high, 0x0303)));
                    high = hn::ShiftRight<2>(high);
                    const V16 factor = scales(block + 192 + 2 * (4 * half + group), i);
                    const auto scaled = [&](std::size_t place, V16 code) HWY_ATTR {
                        emit(place, hn::Mul(hn::Sub(code, offset), factor));
                    };
                    emit_unsigned_bytes(32 * (4 * half + group) + i / 2, bytes, scaled);
                }
            }
        }
    }
};

}  // namespace espalier::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
