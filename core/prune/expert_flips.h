#pragma once

#include <cstdint>
#include <tuple>
#include <vector>

#include "prune/search_plan.h"

namespace espalier {

/// Of kept experts, which are in ascending order.
bool contains(const std::vector<std::int32_t>& ids, std::int32_t id);
std::vector<std::int32_t> with(std::vector<std::int32_t> ids, std::int32_t id);
std::vector<std::int32_t> without(std::vector<std::int32_t> ids, std::int32_t id);

/// An expert that goes or comes back, and what that should change.
struct Flip {
    std::int64_t layer = 0;
    std::int32_t expert = 0;
    double change = 0;
};

void sort_by_change(std::vector<Flip>& flips);

/// One expert comes back, another goes.
struct Exchange {
    std::int64_t layer = 0;  ///< where one comes back
    std::int32_t back = 0;
    std::int64_t gone_layer = 0;  ///< where one goes
    std::int32_t gone = 0;
    double change = 0;

    /// Which experts, whatever it should change.
    auto key() const { return std::tie(layer, back, gone_layer, gone); }
};

struct SameExperts {
    bool operator()(const Exchange& a, const Exchange& b) const { return a.key() < b.key(); }
};

void apply(const Exchange& exchange, KeptExperts& kept);

/// What may be flipped within limits, which are kept by reference.
class Flips {
public:
    explicit Flips(const SearchLimits& limits) : limits_(limits) {}

    /// Experts of a layer that may go, and those that may come back; what costs least first.
    std::vector<Flip> removals(const CostExpansion& cost, std::int64_t layer,
                               const std::vector<std::int32_t>& kept) const;
    std::vector<Flip> returns(const CostExpansion& cost, std::int64_t layer,
                              const std::vector<std::int32_t>& kept) const;
    /// An exchange may build on another one that was not made.
    bool may_apply(const Exchange& exchange, const KeptExperts& kept) const;

    bool is_forced_out(std::int64_t layer, std::int32_t expert) const;
    /// Of the router.
    std::int64_t group_of(std::int32_t expert) const;
    std::int64_t count_group(const std::vector<std::int32_t>& ids, std::int64_t group) const;

private:
    const SearchLimits& limits_;
};

}  // namespace espalier
