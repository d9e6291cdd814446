#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "routing/expert_stats.h"

namespace espalier {

/// The control of every experiment: it protects nobody.
inline constexpr std::string_view kRandomCriterion = "random";

struct CriterionContext {
    std::int64_t layer = 0;
    std::uint64_t seed = 0;
};

/// What a score is a size of, for comparing layers whose residual streams differ in length.
enum class ScoreKind {
    Norm,      ///< as long as outputs are: grows with the stream
    Energy,    ///< a square of such lengths
    Relative,  ///< no length, or one over the stream's already
};

/// A way to score experts: a pure function of one layer's statistics. Higher = keep. Never NaN: an
/// expert that no token chose scores 0.
struct Criterion {
    std::string_view name;         ///< as recipes and the command line spell it
    std::string_view description;  ///< one sentence for people
    std::function<std::vector<double>(const LayerStats&, const CriterionContext&)> score;
    ScoreKind kind = ScoreKind::Norm;
    /// [experts]; empty function for scores that are no means.
    std::function<std::vector<double>(const LayerStats&)> standard_error = {};
    /// What calibration does not gather unless it is asked to; score() refuses to do without.
    std::optional<OptionalStat> needed = std::nullopt;
    bool needs_vectors = false;  ///< reads the second file
    bool has_tasks = false;      ///< task_stats() is enough for it
    /// The experts that go are judged together, by the energy of what they add up to: the score is
    /// what one costs alone.
    bool is_pairwise = false;
    /// Experts are replaced by their mean output instead of removed.
    bool replaces = false;
};

/// All that are built in, in the order in which they are offered. To add one: a function in a file
/// of its own and a row in the table of criterion.cpp.
std::span<const Criterion> criteria();
/// @throws Error RunRecipe that lists the known ones
const Criterion& find_criterion(std::string_view name);

/// Standard error of the REAP score, sqrt((R2/n - S^2)/n); 0 where n < 2.
std::vector<double> reap_standard_error(const LayerStats& stats);

/// What the tokens of one task label showed, as far as it was measured by label: a layer of counts,
/// gates, gated norms and EASY-EP sums.
LayerStats task_stats(const LayerStats& stats, std::size_t task);

/// Energy of each hidden channel, [experts, width]: ||w_down[:, c]||^2 * [(1 - rho) * sum of phi^2
/// + rho * its maximum]; arXiv:2508.02322 uses rho = 1. @throws Error RunRecipe if it was not
/// gathered
std::vector<double> channel_scores(const LayerStats& stats, double rho = 1.0);

}  // namespace espalier
