#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace espalier {

/// Kept experts of each routed layer, ascending.
using KeptExperts = std::map<std::int64_t, std::vector<std::int32_t>>;

struct SearchCandidate {
    std::string criterion;
    KeptExperts kept;
    KeptExperts order;  ///< all experts of each layer from the best to the worst
};

/// What the search may not do.
struct SearchLimits {
    std::int64_t num_groups = 1;  ///< of the router: each keeps its number of experts
    std::int64_t num_experts = 0;
    KeptExperts locked;      ///< always stay
    KeptExperts forced_out;  ///< never stay
    /// Experts may go in one layer for others in another; each layer keeps at least `least`. Needs
    /// a router without groups.
    bool moves_between_layers = false;
    std::int64_t least = 1;
};

struct MeasuredCandidate {
    std::string criterion;
    double cost = 0;
};

struct SearchResult {
    KeptExperts kept;
    double cost = 0;
    std::vector<MeasuredCandidate> candidates;  ///< as given, each alone
    std::size_t start = 0;                      ///< the best of them
    std::int64_t layers_taken = 0;              ///< layers taken over from another candidate
    std::int64_t swaps = 0;                     ///< experts exchanged after that
    std::int64_t moves = 0;                     ///< of these, for one in another layer
    bool is_exhausted = false;  ///< no exchange was left to try: the time was not used up
};

struct SearchProblem {
    std::vector<SearchCandidate> candidates;
    SearchLimits limits;
    /// What a choice costs, e.g. the KL divergence from the whole model; lower is better.
    std::function<double(const KeptExperts&)> measure;
    /// The same on a part of the data, quicker; only costs of the same part are compared. One
    /// expert more or less than the choice should have may be asked for.
    std::function<double(const KeptExperts&, std::size_t part)> measure_part;
    std::size_t num_parts = 1;
    /// Told of each choice that later ones are variations of; may be empty.
    std::function<void(const KeptExperts&)> settle;
    /// The candidates are measured whatever this says; then the search goes on while it is true.
    std::function<bool()> may_go_on;
    /// Told the lowest cost whenever there is a new one.
    std::function<void(double cost)> progress;
};

/// Looks for the experts whose removal costs least, by measuring. First the cheapest candidate;
/// then each layer as each other candidate has it; then rounds of exchanges: every layer's experts
/// around the cut are taken out or back one by one, measured on a part of the data, and the most
/// promising pairs of all layers are exchanged together, fewer at a time until the cost of the
/// whole falls. Rounds look further and further from the cut. Every layer keeps its number of
/// experts, unless they may move between layers, and every group its share. The same measurements
/// give the same answer.
/// @throws Error RunRecipe without candidates
SearchResult search_plan(const SearchProblem& problem);

}  // namespace espalier
