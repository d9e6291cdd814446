#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "nn/trace.h"

/// Logits of libtorch's layers, and how far two models' are apart.
namespace traced_logits {

class Logits : public espalier::ForwardObserver {
public:
    void on_activation(espalier::Activation what, std::int64_t /*index*/,
                       std::span<const float> rows) override {
        if (what == espalier::Activation::Logits) {
            values.insert(values.end(), rows.begin(), rows.end());
        }
    }
    void on_routing(std::int64_t /*layer*/, const espalier::RoutingView& /*routing*/) override {}
    std::vector<float> values;
};

inline std::vector<float> of(const espalier::ModelSource& model,
                             const std::vector<std::vector<std::int32_t>>& ids,
                             const espalier::ExpertMask& mask = {}) {
    Logits logits;
    espalier::trace_model(model, ids, mask, logits, {});
    return logits.values;
}

/// Infinite where they are not as many.
inline float largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
    if (a.size() != b.size()) return INFINITY;
    float largest = 0.0F;
    for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
    return largest;
}

}  // namespace traced_logits
