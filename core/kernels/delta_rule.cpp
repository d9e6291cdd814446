#include "kernels/delta_rule.h"

#include <algorithm>

// clang-format off: foreach_target.h comes first
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/delta_rule.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/tail-inl.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace espalier::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// One token on N vectors of columns from `column` on; the last vector has `last` columns.
template <std::size_t N>
HWY_INLINE void step(const DeltaRun& run, std::size_t token, std::size_t column, std::size_t last,
                     float* state, float* out) {
    const hn::ScalableTag<float> d;
    const std::size_t lanes = hn::Lanes(d);
    const auto count = [&](std::size_t v) HWY_ATTR { return v + 1 == N ? last : lanes; };
    const float* key = run.keys.row(token);
    const float* query = run.queries.row(token);
    const float* value = run.values.row(token) + column;
    const auto decay = hn::Set(d, run.decays[token]);
    const auto strength = hn::Set(d, run.strengths[token]);

    hn::VFromD<decltype(d)> change[N];
    for (auto& v : change) v = hn::Zero(d);
    for (std::size_t i = 0; i < run.key_dim; ++i) {
        const auto k = hn::Set(d, key[i]);
        const float* row = state + i * run.width + column;
        HWY_UNROLL(4)
        for (std::size_t v = 0; v < N; ++v) {
            change[v] = hn::MulAdd(k, load_n(d, row + v * lanes, count(v)), change[v]);
        }
    }
    for (std::size_t v = 0; v < N; ++v) {
        const auto wanted = load_n(d, value + v * lanes, count(v));
        change[v] = hn::Mul(strength, hn::NegMulAdd(decay, change[v], wanted));
    }
    hn::VFromD<decltype(d)> sum[N];
    for (auto& v : sum) v = hn::Zero(d);
    for (std::size_t i = 0; i < run.key_dim; ++i) {
        const auto k = hn::Set(d, key[i]);
        const auto q = hn::Set(d, query[i]);
        float* row = state + i * run.width + column;
        HWY_UNROLL(4)
        for (std::size_t v = 0; v < N; ++v) {
            const auto old = load_n(d, row + v * lanes, count(v));
            const auto now = hn::MulAdd(k, change[v], hn::Mul(decay, old));
            store_n(now, d, row + v * lanes, count(v));
            sum[v] = hn::MulAdd(q, now, sum[v]);
        }
    }
    for (std::size_t v = 0; v < N; ++v) {
        store_n(sum[v], d, out + column + v * lanes, count(v));
    }
}

void delta_rule(const DeltaRun& run, std::span<float> state, ProductsView out) {
    const hn::ScalableTag<float> d;
    const std::size_t lanes = hn::Lanes(d);
    for (std::size_t token = 0; token < run.decays.size(); ++token) {
        float* to = out.values.data() + token * out.stride;
        std::size_t column = 0;
        for (; column + 4 * lanes <= run.width; column += 4 * lanes) {
            step<4>(run, token, column, lanes, state.data(), to);
        }
        for (; column + 2 * lanes <= run.width; column += 2 * lanes) {
            step<2>(run, token, column, lanes, state.data(), to);
        }
        for (; column < run.width; column += lanes) {
            step<1>(run, token, column, std::min(lanes, run.width - column), state.data(), to);
        }
    }
}

}  // namespace espalier::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace espalier::kernels {

HWY_EXPORT(delta_rule);

void delta_rule(const DeltaRun& run, std::span<float> state, ProductsView out) {
    HWY_DYNAMIC_DISPATCH(delta_rule)(run, state, out);
}

}  // namespace espalier::kernels
#endif
