#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace espalier {

/// Kept experts of each routed layer, ascending.
using KeptExperts = std::map<std::int64_t, std::vector<std::int32_t>>;

struct SearchCandidate {
    std::string criterion;
    KeptExperts kept;
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

/// Expansions of the cost that are kept at a time: later ones lie close to earlier ones.
inline constexpr std::size_t kExpansionsHeld = 4;

/// The cost near a choice, as a function that is cheap to ask.
class CostExpansion {
public:
    virtual ~CostExpansion() = default;
    /// What the cost should change by if the layer kept these instead; infinite where they are too
    /// few.
    virtual double change(std::int64_t layer, const std::vector<std::int32_t>& kept) const = 0;
    /// Later changes are those from here.
    virtual void take(std::int64_t layer, const std::vector<std::int32_t>& kept) = 0;
};

struct MeasuredCandidate {
    std::string criterion;
    double cost = 0;
};

struct SearchResult {
    KeptExperts kept;
    double cost = 0;
    std::vector<MeasuredCandidate> candidates;  ///< as given, each alone, on the first two parts
    std::size_t start = 0;                      ///< the best of them
    double start_cost = 0;                      ///< on all data, as `cost`
    std::optional<double> thinned_cost;         ///< before any exchange; none without time for it
    std::int64_t swaps = 0;     ///< experts that are kept in place of others of the start
    std::int64_t moves = 0;     ///< of these, in place of others of another layer
    bool is_exhausted = false;  ///< no exchange was left to try: the time was not used up
};

struct SearchProblem {
    std::vector<SearchCandidate> candidates;
    SearchLimits limits;
    /// What a choice costs on a part of the data, e.g. the KL divergence from the whole model;
    /// lower is better.
    std::function<double(const KeptExperts&, std::size_t part)> measure;
    /// Of about the same size, each of texts of its own: what helps a single text does not stand.
    std::size_t num_parts = 1;
    /// How far from the choice an expansion is asked.
    enum class Reach { Exchanges, Thinning };
    /// Expands the cost about a choice, on other data with each call.
    std::function<std::unique_ptr<CostExpansion>(const KeptExperts&, Reach)> expand;
    std::size_t num_expansions = 1;  ///< that read all data once
    /// Told of each choice that later ones are variations of; may be empty.
    std::function<void(const KeptExperts&)> settle;
    /// Told when all candidates have been measured: the time begins. May be empty.
    std::function<void()> begin;
    /// Share of the time that is used up; the search ends at 1.
    std::function<double()> used;
    /// Told the lowest cost whenever there is a new one; may be empty.
    std::function<void(double cost)> progress;
};

/// Looks for the experts whose removal costs least. It starts from the cheapest candidate, takes
/// over layers of the next ones where that helps, and goes on in rounds: expansions of the cost say
/// which exchange of an expert that is gone for one that stays should lower it most in each layer,
/// and those of them are made that lower it when measured: by more than its standard error over the
/// parts of the data, so that no chance is learnt by heart. When no exchange helps any more, the
/// same from other starts: the whole model, thinned by the expansion, an expert at a time, expanded
/// anew on the way; and the next candidates. What they lead to is joined with the best so far,
/// layer by layer. Every layer keeps its number of experts, unless they may move between layers,
/// and every group its share. The same answers give the same result.
///
/// Thinning with new estimates on the way: Molchanov et al., "Importance Estimation for Neural
/// Network Pruning", arXiv 1906.10771.
/// @throws Error RunRecipe without candidates
SearchResult search_plan(const SearchProblem& problem);

}  // namespace espalier
