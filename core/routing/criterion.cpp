#include "routing/criterion.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "base/error.h"
#include "routing/score_functions.h"

namespace espalier {
namespace {

std::array<Criterion, 16> make_table() {
    using enum ScoreKind;
    return {
        Criterion{.name = "reap",
                  .description = "Mean of gate times output norm over the tokens that chose the "
                                 "expert.",
                  .score = score_reap,
                  .standard_error = reap_standard_error,
                  .has_tasks = true},
        Criterion{.name = "reap_shrunk",
                  .description = "REAP, drawn towards the layer's mean where few tokens were seen.",
                  .score = score_reap_shrunk,
                  .standard_error = reap_shrunk_standard_error,
                  .has_tasks = true},
        Criterion{.name = "reap_l2",
                  .description = "Root mean square of gate times output norm.",
                  .score = score_reap_l2},
        Criterion{.name = "wean_sum",
                  .description = "Sum of gate times output norm: frequency times REAP.",
                  .score = score_wean_sum,
                  .has_tasks = true},
        Criterion{.name = "easy_ep",
                  .description = "Sum of gate times output norm, of each token as far as its "
                                 "experts turn the residual stream.",
                  .score = score_easy_ep,
                  .needed = OptionalStat::EasyEp,
                  .has_tasks = true},
        Criterion{.name = "sas",
                  .description = "How much the layer's output changes when the runner-up takes the "
                                 "expert's place.",
                  .score = score_substitution,
                  .kind = Relative,
                  .standard_error = substitution_standard_error,
                  .needed = OptionalStat::Substitution},
        Criterion{.name = "hope",
                  .description = "The experts that go are chosen together: what their outputs add "
                                 "up to is the least.",
                  .score = score_hope,
                  .kind = Energy,
                  .needed = OptionalStat::CoactGram,
                  .needs_vectors = true,
                  .is_pairwise = true},
        Criterion{.name = "camera",
                  .description = "Energy of the expert's hidden channels, summed.",
                  .score = score_camera,
                  .kind = Energy,
                  .needed = OptionalStat::Channels,
                  .needs_vectors = true},
        Criterion{.name = "mone",
                  .description = "Variance of the expert's output: those that hardly vary are "
                                 "replaced by their mean.",
                  .score = score_mone,
                  .kind = Energy,
                  .needed = OptionalStat::OutputSum,
                  .needs_vectors = true,
                  .replaces = true},
        Criterion{.name = "mone_fused",
                  .description = "Variance of the expert's output times its gate mass: those that "
                                 "hardly vary or hardly count are replaced by their mean.",
                  .score = score_mone_fused,
                  .kind = Energy,
                  .needed = OptionalStat::OutputSum,
                  .needs_vectors = true,
                  .replaces = true},
        Criterion{.name = "ean_sum",
                  .description = "Sum of output norms, the gate left aside.",
                  .score = score_ean_sum},
        Criterion{.name = "ean_mean",
                  .description = "Mean output norm, the gate left aside.",
                  .score = score_ean_mean,
                  .standard_error = ean_mean_standard_error},
        Criterion{.name = "gate_mass",
                  .description = "Sum of the gates.",
                  .score = score_gate_mass,
                  .kind = Relative,
                  .has_tasks = true},
        Criterion{.name = "frequency",
                  .description = "How often the expert was chosen; a baseline.",
                  .score = score_frequency,
                  .kind = Relative,
                  .has_tasks = true},
        Criterion{.name = "max_act",
                  .description = "Largest absolute output value.",
                  .score = score_max_act},
        Criterion{.name = kRandomCriterion,
                  .description = "Random numbers from the seed; the control.",
                  .score = score_random,
                  .kind = Relative},
    };
}

}  // namespace

std::span<const Criterion> criteria() {
    static const auto kTable = make_table();
    return kTable;
}

const Criterion& find_criterion(std::string_view name) {
    const auto known = criteria();
    const auto found = std::find_if(known.begin(), known.end(),
                                    [name](const Criterion& row) { return row.name == name; });
    if (found != known.end()) return *found;
    std::string names;
    for (const Criterion& row : known) names += (names.empty() ? "" : ", ") + std::string(row.name);
    throw Error(ErrorCode::RunRecipe, fmt::format("There is no pruning criterion \"{}\".", name),
                fmt::format("Choose one of: {}.", names));
}

LayerStats task_stats(const LayerStats& stats, std::size_t task) {
    const std::size_t experts = stats.count.size();
    const auto row = [&](const auto& values) {
        using Values = std::decay_t<decltype(values)>;
        if (values.size() < (task + 1) * experts) return Values{};
        const auto first = values.begin() + static_cast<std::ptrdiff_t>(task * experts);
        return Values(first, first + static_cast<std::ptrdiff_t>(experts));
    };
    LayerStats own;
    if (task < stats.task_tokens.size()) own.tokens = stats.task_tokens[task];
    own.count = row(stats.task_count);
    own.gate_sum = row(stats.task_gate_sum);
    own.gated_norm_sum = row(stats.task_gated_norm_sum);
    own.easy_ep_sum = row(stats.task_easy_ep_sum);
    return own;
}

}  // namespace espalier
