#include "prune/expert_flips.h"

#include <algorithm>

namespace espalier {
namespace {

bool is_listed(const KeptExperts& lists, std::int64_t layer, std::int32_t expert) {
    const auto found = lists.find(layer);
    return found != lists.end() &&
           std::find(found->second.begin(), found->second.end(), expert) != found->second.end();
}

}  // namespace

bool contains(const std::vector<std::int32_t>& ids, std::int32_t id) {
    return std::binary_search(ids.begin(), ids.end(), id);
}

std::vector<std::int32_t> with(std::vector<std::int32_t> ids, std::int32_t id) {
    ids.insert(std::lower_bound(ids.begin(), ids.end(), id), id);
    return ids;
}

std::vector<std::int32_t> without(std::vector<std::int32_t> ids, std::int32_t id) {
    ids.erase(std::lower_bound(ids.begin(), ids.end(), id));
    return ids;
}

void sort_by_change(std::vector<Flip>& flips) {
    std::stable_sort(flips.begin(), flips.end(),
                     [](const Flip& a, const Flip& b) { return a.change < b.change; });
}

void apply(const Exchange& exchange, KeptExperts& kept) {
    auto& grown = kept.at(exchange.layer);
    grown = with(grown, exchange.back);
    auto& shrunk = kept.at(exchange.gone_layer);
    shrunk = without(shrunk, exchange.gone);
}

std::vector<Flip> Flips::removals(const CostExpansion& cost, std::int64_t layer,
                                  const std::vector<std::int32_t>& kept) const {
    std::vector<Flip> flips;
    for (const std::int32_t e : kept) {
        if (is_listed(limits_.locked, layer, e)) continue;
        flips.push_back({layer, e, cost.change(layer, without(kept, e))});
    }
    sort_by_change(flips);
    return flips;
}

std::vector<Flip> Flips::returns(const CostExpansion& cost, std::int64_t layer,
                                 const std::vector<std::int32_t>& kept) const {
    std::vector<Flip> flips;
    for (std::int32_t e = 0; e < limits_.num_experts; ++e) {
        if (contains(kept, e) || is_forced_out(layer, e)) continue;
        flips.push_back({layer, e, cost.change(layer, with(kept, e))});
    }
    sort_by_change(flips);
    return flips;
}

bool Flips::may_apply(const Exchange& exchange, const KeptExperts& kept) const {
    const auto& grown = kept.at(exchange.layer);
    const auto& shrunk = kept.at(exchange.gone_layer);
    if (contains(grown, exchange.back) || !contains(shrunk, exchange.gone)) return false;
    return exchange.layer == exchange.gone_layer ||
           static_cast<std::int64_t>(shrunk.size()) > limits_.least;
}

bool Flips::is_forced_out(std::int64_t layer, std::int32_t expert) const {
    return is_listed(limits_.forced_out, layer, expert);
}

std::int64_t Flips::group_of(std::int32_t expert) const {
    return expert / (limits_.num_experts / limits_.num_groups);
}

std::int64_t Flips::count_group(const std::vector<std::int32_t>& ids, std::int64_t group) const {
    return std::count_if(ids.begin(), ids.end(),
                         [&](std::int32_t id) { return group_of(id) == group; });
}

}  // namespace espalier
