// Loops over spans of any length, for every target of Highway: included once per target, hence no
// #pragma once.
#if defined(ESPALIER_KERNELS_TAIL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ESPALIER_KERNELS_TAIL_INL_H_
#undef ESPALIER_KERNELS_TAIL_INL_H_
#else
#define ESPALIER_KERNELS_TAIL_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace espalier::kernels::HWY_NAMESPACE {

/// The first `n` values, zeros after them; reads nothing past them, unlike masked loads of 8 and 16
/// bits, so that a row may end where its mapped file ends.
template <typename D, typename T>
HWY_INLINE hwy::HWY_NAMESPACE::VFromD<D> load_n(D d, const T* from, std::size_t n) {
    namespace hn = hwy::HWY_NAMESPACE;
    if (HWY_LIKELY(n == hn::Lanes(d))) return hn::LoadU(d, from);
    HWY_ALIGN T padded[hn::MaxLanes(D())] = {};
    std::memcpy(padded, from, std::min(n, hn::MaxLanes(D())) * sizeof(T));
    return hn::Load(d, padded);
}

/// Writes the first `n` lanes.
template <typename D, typename T>
HWY_INLINE void store_n(hwy::HWY_NAMESPACE::VFromD<D> v, D d, T* to, std::size_t n) {
    namespace hn = hwy::HWY_NAMESPACE;
    if (HWY_LIKELY(n == hn::Lanes(d))) {
        hn::StoreU(v, d, to);
        return;
    }
    HWY_ALIGN T padded[hn::MaxLanes(D())];
    hn::Store(v, d, padded);
    std::memcpy(to, padded, std::min(n, hn::MaxLanes(D())) * sizeof(T));
}

/// Calls body(index, count) for whole vectors, then once for what is left.
template <typename D, typename Body>
HWY_INLINE void for_each_vector(D d, std::size_t size, const Body& body) {
    const std::size_t lanes = hwy::HWY_NAMESPACE::Lanes(d);
    std::size_t i = 0;
    for (; i + lanes <= size; i += lanes) body(i, lanes);
    if (i < size) body(i, size - i);
}

}  // namespace espalier::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
