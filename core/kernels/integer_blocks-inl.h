// Codes of quantised blocks as vectors of 16-bit integers, for every target of Highway: included
// once per target, hence no #pragma once.
#if defined(ESPALIER_KERNELS_INTEGER_BLOCKS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ESPALIER_KERNELS_INTEGER_BLOCKS_INL_H_
#undef ESPALIER_KERNELS_INTEGER_BLOCKS_INL_H_
#else
#define ESPALIER_KERNELS_INTEGER_BLOCKS_INL_H_
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <hwy/highway.h>

#include "kernels/half.h"

// Each struct describes one type: value = scale * factor of the sub-block * code - minimum of the
// group of 32. codes(block, header, emit) calls emit(place, even, odd, factor) for the codes of a
// block in the order of IntegerRows: `even` belongs at `place`, `odd` 16 places on. A factor times
// a code has 12 bits and a sign at most.

HWY_BEFORE_NAMESPACE();
namespace espalier::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// One parity of a group of 32 at most.
using D16 = hn::CappedTag<std::int16_t, 16>;
using DU16 = hn::RebindToUnsigned<D16>;
using D32 = hn::RepartitionToWide<D16>;
using DF = hn::RebindToFloat<D32>;
using V16 = hn::VFromD<D16>;
using VU16 = hn::VFromD<DU16>;
using V32 = hn::VFromD<D32>;
using VF = hn::VFromD<DF>;
/// Bytes that fill a vector.
inline constexpr std::size_t kVectorBytes = 2 * hn::MaxLanes(D16());

/// The half at `bytes`, as float: one instruction where the machine has it.
HWY_INLINE float half_at(const std::byte* bytes) {
    const hn::CappedTag<float, 4> d;
    const hn::Rebind<hwy::float16_t, decltype(d)> d_half;
    const hn::Rebind<std::uint16_t, decltype(d)> d_bits;
    const auto half = hn::BitCast(d_half, hn::Set(d_bits, load<std::uint16_t>(bytes)));
    return hn::GetLane(hn::PromoteTo(d, half));
}

HWY_INLINE VU16 load_bytes(const std::byte* bytes) {
    const hn::Repartition<std::uint8_t, DU16> d8;
    return hn::BitCast(DU16(), hn::LoadU(d8, reinterpret_cast<const std::uint8_t*>(bytes)));
}

HWY_INLINE VU16 mask(VU16 v, std::uint16_t bits) { return hn::And(v, hn::Set(DU16(), bits)); }
HWY_INLINE V16 as_signed(VU16 v) { return hn::BitCast(D16(), v); }
/// Bytes at even places of a group, and at odd ones.
HWY_INLINE V16 even_bytes(VU16 v) { return as_signed(mask(v, 0xFF)); }
HWY_INLINE V16 odd_bytes(VU16 v) { return as_signed(hn::ShiftRight<8>(v)); }

/// Factors of types without sub-blocks.
struct NoFactor {
    HWY_INLINE V16 times(V16 codes) const { return codes; }
    HWY_INLINE V32 times_sum(V32 sum) const { return sum; }
};

/// One factor for a whole group.
struct GroupFactor {
    std::int32_t value;

    HWY_INLINE V16 times(V16 codes) const {
        return hn::Mul(codes, hn::Set(D16(), static_cast<std::int16_t>(value)));
    }
    HWY_INLINE V32 times_sum(V32 sum) const { return hn::Mul(sum, hn::Set(D32(), value)); }
};

/// A factor for each lane, equal in lanes that are summed.
struct LaneFactor {
    V16 lanes;

    HWY_INLINE V16 times(V16 codes) const { return hn::Mul(codes, lanes); }
    HWY_INLINE V32 times_sum(V32 sum) const {
        return hn::Mul(sum, hn::ShiftRight<16>(hn::BitCast(D32(), lanes)));
    }
};

/// What a block says about all of its values.
struct ScaleHeader {
    float scale;
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

struct BlockQ8_0 {
    static constexpr std::size_t kElements = 32;
    static constexpr std::size_t kBytes = 34;
    static constexpr bool kHasMinimum = false;

    static HWY_INLINE ScaleHeader header(const std::byte* block) { return {half_at(block)}; }

    template <typename Emit>
    static HWY_INLINE void codes(const std::byte* block, const ScaleHeader&, const Emit& emit) {
        for (std::size_t i = 0; i < 32; i += kVectorBytes) {
            const V16 v = as_signed(load_bytes(block + 2 + i));
            emit(i / 2, hn::ShiftRight<8>(hn::ShiftLeft<8>(v)), hn::ShiftRight<8>(v), NoFactor());
        }
    }
};

struct BlockQ4_0 {
    static constexpr std::size_t kElements = 32;
    static constexpr std::size_t kBytes = 18;
    static constexpr bool kHasMinimum = false;

    static HWY_INLINE ScaleHeader header(const std::byte* block) { return {half_at(block)}; }

    template <typename Emit>
    static HWY_INLINE void codes(const std::byte* block, const ScaleHeader&, const Emit& emit) {
        const auto offset = hn::Set(D16(), std::int16_t{8});
        split_nibbles(block + 2, [&](std::size_t first, auto bytes) HWY_ATTR {
            const VU16 v = hn::BitCast(DU16(), bytes);
            emit(first / 2, hn::Sub(even_bytes(v), offset), hn::Sub(odd_bytes(v), offset),
                 NoFactor());
        });
    }
};

struct BlockQ5_0 {
    static constexpr std::size_t kElements = 32;
    static constexpr std::size_t kBytes = 22;
    static constexpr bool kHasMinimum = false;

    static HWY_INLINE ScaleHeader header(const std::byte* block) { return {half_at(block)}; }

    template <typename Emit>
    static HWY_INLINE void codes(const std::byte* block, const ScaleHeader&, const Emit& emit) {
        const auto high_bits = load<std::uint32_t>(block + 2);
        const auto offset = hn::Set(D16(), std::int16_t{16});
        split_nibbles(block + 6, [&](std::size_t first, auto bytes) HWY_ATTR {
            const VU16 v = hn::BitCast(DU16(), hn::Or(bytes, fifth_bits(high_bits, first)));
            emit(first / 2, hn::Sub(even_bytes(v), offset), hn::Sub(odd_bytes(v), offset),
                 NoFactor());
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

/// Scales of a Q4_K or Q5_K block and its 8 groups; a group's minimum is minimum_scale * mins.
struct KHeader {
    float scale;
    float minimum_scale;
    HWY_ALIGN std::int32_t factors[8];
    std::uint64_t mins;  ///< 8 bytes
};

/// The 12 bytes after the two halves: the first four pairs in the low six bits, the last four in
/// nibbles and the top bits of the first; four at a time.
HWY_INLINE KHeader k_header(const std::byte* block) {
    KHeader header;
    header.scale = half_at(block);
    header.minimum_scale = half_at(block + 2);
    const auto low_factors = load<std::uint32_t>(block + 4);
    const auto low_mins = load<std::uint32_t>(block + 8);
    const auto nibbles = load<std::uint32_t>(block + 12);
    constexpr std::uint32_t kNibbles = 0x0F0F0F0F;
    constexpr std::uint32_t kSixBits = 0x3F3F3F3F;
    const auto top_bits = [](std::uint32_t v) { return ((v >> 6) & 0x03030303) << 4; };
    const auto join = [](std::uint32_t first, std::uint32_t last) {
        return first | static_cast<std::uint64_t>(last) << 32;
    };
    const std::uint64_t factors =
        join(low_factors & kSixBits, (nibbles & kNibbles) | top_bits(low_factors));
    header.mins = join(low_mins & kSixBits, ((nibbles >> 4) & kNibbles) | top_bits(low_mins));
    const hn::Rebind<std::uint8_t, D32> d8;
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(&factors);
    for (std::size_t g = 0; g < 8; g += hn::Lanes(d8)) {
        hn::StoreU(hn::PromoteTo(D32(), hn::LoadU(d8, bytes + g)), D32(), header.factors + g);
    }
    return header;
}

/// Minimums of the groups of a block.
HWY_INLINE void store_minimums(const KHeader& header, float* out) {
    const hn::Rebind<std::uint8_t, D32> d8;
    const auto factor = hn::Set(DF(), header.minimum_scale);
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(&header.mins);
    for (std::size_t g = 0; g < 8; g += hn::Lanes(DF())) {
        const auto mins = hn::PromoteTo(D32(), hn::LoadU(d8, bytes + g));
        hn::StoreU(hn::Mul(hn::ConvertTo(DF(), mins), factor), DF(), out + g);
    }
}

struct BlockQ4_K {
    static constexpr std::size_t kElements = 256;
    static constexpr std::size_t kBytes = 144;
    static constexpr bool kHasMinimum = true;

    static HWY_INLINE KHeader header(const std::byte* block) { return k_header(block); }

    template <typename Emit>
    static HWY_INLINE void codes(const std::byte* block, const KHeader& header, const Emit& emit) {
        const std::byte* nibbles = block + 16;
        for (std::size_t group = 0; group < 8; group += 2, nibbles += 32) {
            const GroupFactor low{header.factors[group]};
            const GroupFactor high{header.factors[group + 1]};
            for (std::size_t i = 0; i < 32; i += kVectorBytes) {
                const VU16 v = load_bytes(nibbles + i);
                const std::size_t place = 32 * group + i / 2;
                emit(place, as_signed(mask(v, 15)), as_signed(mask(hn::ShiftRight<8>(v), 15)), low);
                emit(place + 32, as_signed(mask(hn::ShiftRight<4>(v), 15)),
                     as_signed(hn::ShiftRight<12>(v)), high);
            }
        }
    }
};

struct BlockQ5_K {
    static constexpr std::size_t kElements = 256;
    static constexpr std::size_t kBytes = 176;
    static constexpr bool kHasMinimum = true;

    static HWY_INLINE KHeader header(const std::byte* block) { return k_header(block); }

    template <typename Emit>
    static HWY_INLINE void codes(const std::byte* block, const KHeader& header, const Emit& emit) {
        for (std::size_t i = 0; i < 32; i += kVectorBytes) {
            VU16 high = load_bytes(block + 16 + i);  // bit j belongs to group j
            const std::byte* nibbles = block + 48 + i;
            for (std::size_t group = 0; group < 8; group += 2, nibbles += 32) {
                const VU16 v = load_bytes(nibbles);
                emit_group(32 * group + i / 2, mask(v, 0x0F0F), high, header.factors[group], emit);
                emit_group(32 * group + 32 + i / 2, mask(hn::ShiftRight<4>(v), 0x0F0F),
                           hn::ShiftRight<1>(high), header.factors[group + 1], emit);
                high = hn::ShiftRight<2>(high);
            }
        }
    }

private:
    template <typename Emit>
    static HWY_INLINE void emit_group(std::size_t place, VU16 nibbles, VU16 high,
                                      std::int32_t factor, const Emit& emit) {
        const VU16 bytes = hn::Or(nibbles, hn::ShiftLeft<4>(mask(high, 0x0101)));
        emit(place, even_bytes(bytes), odd_bytes(bytes), GroupFactor{factor});
    }
};

struct BlockQ6_K {
    static constexpr std::size_t kElements = 256;
    static constexpr std::size_t kBytes = 210;
    static constexpr bool kHasMinimum = false;

    struct Header {
        float scale;
        HWY_ALIGN std::int16_t factors[16];  ///< one for 16 elements
    };

    static HWY_INLINE Header header(const std::byte* block) {
        Header header;
        header.scale = half_at(block + 208);
        const hn::Rebind<std::int8_t, D16> d8;
        const auto* factors = reinterpret_cast<const std::int8_t*>(block + 192);
        for (std::size_t i = 0; i < 16; i += hn::Lanes(d8)) {
            hn::StoreU(hn::PromoteTo(D16(), hn::LoadU(d8, factors + i)), D16(), header.factors + i);
        }
        return header;
    }

    template <typename Emit>
    static HWY_INLINE void codes(const std::byte* block, const Header& header, const Emit& emit) {
        for (std::size_t half = 0; half < 2; ++half) {
            const V16 factors = hn::LoadDup128(D16(), header.factors + 8 * half);
            for (std::size_t i = 0; i < 32; i += kVectorBytes) {
                const VU16 first = load_bytes(block + 64 * half + i);
                const VU16 second = load_bytes(block + 64 * half + 32 + i);
                const VU16 high = load_bytes(block + 128 + 32 * half + i);  // two bits a group
                const std::size_t place = 128 * half + i / 2;
                const VU16 high_0 = hn::ShiftLeft<4>(mask(high, 0x0303));
                const VU16 high_1 = hn::ShiftLeft<2>(mask(high, 0x0C0C));
                const VU16 high_2 = mask(high, 0x3030);
                const VU16 high_3 = hn::ShiftRight<2>(mask(high, 0xC0C0));
                emit_group<0>(place, first, high_0, factors, i, emit);
                emit_group<1>(place, second, high_1, factors, i, emit);
                emit_group<2>(place, hn::ShiftRight<4>(first), high_2, factors, i, emit);
                emit_group<3>(place, hn::ShiftRight<4>(second), high_3, factors, i, emit);
            }
        }
    }

private:
    template <std::size_t Group, typename Emit>
    static HWY_INLINE void emit_group(std::size_t place, VU16 nibbles, VU16 high, V16 factors,
                                      std::size_t i, const Emit& emit) {
        const auto offset = hn::Set(D16(), std::int16_t{32});
        const VU16 bytes = hn::Or(mask(nibbles, 0x0F0F), high);
        emit(place + 32 * Group, hn::Sub(even_bytes(bytes), offset),
             hn::Sub(odd_bytes(bytes), offset), LaneFactor{factors_of(factors, 2 * Group, i)});
    }

    /// Factor `index` in the lanes of the first 16 elements from i on, the next one in those of the
    /// others.
    static HWY_INLINE V16 factors_of(V16 factors, std::size_t index, std::size_t i) {
        const hn::Repartition<std::uint8_t, D16> d8;
        const auto pair = [](std::size_t at) {
            return static_cast<int>(2 * at | (2 * at + 1) << 8);
        };
        const auto first = hn::Set(D16(), static_cast<std::int16_t>(pair(index + i / 16)));
        const auto second = hn::Set(D16(), static_cast<std::int16_t>(pair(index + 1)));
        const auto places =
            hn::MaxLanes(D16()) == 16 ? hn::ConcatUpperLower(D16(), second, first) : first;
        return hn::BitCast(D16(),
                           hn::TableLookupBytes(hn::BitCast(d8, factors), hn::BitCast(d8, places)));
    }
};

}  // namespace espalier::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
