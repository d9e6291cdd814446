#include "routing/criterion.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "base/error.h"
#include "routing/score_functions.h"

namespace espalier {

std::span<const Criterion> criteria() {
    static const std::array kTable{
        Criterion{"reap", "Mean of gate times output norm over the tokens that chose the expert.",
                  score_reap},
        Criterion{"reap_shrunk", "REAP, drawn towards the layer's mean where few tokens were seen.",
                  score_reap_shrunk},
        Criterion{"reap_l2", "Root mean square of gate times output norm.", score_reap_l2},
        Criterion{"wean_sum", "Sum of gate times output norm: frequency times REAP.",
                  score_wean_sum},
        Criterion{"ean_sum", "Sum of output norms, the gate left aside.", score_ean_sum},
        Criterion{"ean_mean", "Mean output norm, the gate left aside.", score_ean_mean},
        Criterion{"gate_mass", "Sum of the gates.", score_gate_mass},
        Criterion{"frequency", "How often the expert was chosen; a baseline.", score_frequency},
        Criterion{"max_act", "Largest absolute output value.", score_max_act},
        Criterion{"random", "Random numbers from the seed; the control.", score_random},
    };
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

}  // namespace espalier
