#include "routing/stat_choice.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "base/error.h"

namespace espalier {
namespace {

using enum OptionalStat;

constexpr std::array<OptionalStatRow, kNumOptionalStats> kRows{{
    {Coactivation, "coactivation", "Which experts are chosen together.", true},
    {GateHistogram, "gate_histogram", "How large the gates of each expert are.", true},
    {Stability, "stability", "Counts and scores by half and by doubling of the data.", true},
    {Positions, "positions", "Where in its window each expert is used.", true},
    {EasyEp, "easy_ep", "How far each expert turns the residual stream.", true},
    {OutputSum, "output_sum", "Mean output of each expert.", true},
    {InputEnergies, "input_energy", "Input energies of all matrices, for quantisation.", true},
    {Contexts, "contexts", "The tokens that each expert was given the largest gates for.", true},
    {RouterMass, "router_mass",
     "How much of the router's probability each expert has, where gates are no shares of the "
     "chosen.",
     true},
    {CoactGram, "coact_gram", "How the outputs of experts that work together add up.", false},
    {Substitution, "sas", "What the runner-up would do in the place of each chosen expert.", false},
    {Channels, "channels", "Energy of every hidden channel of every expert.", false},
    {Profiles, "profiles", "Router logits and inputs of a sample of tokens, for merging.", false},
}};

Error unknown(std::string_view name) {
    std::string names;
    for (const OptionalStatRow& row : kRows) names += fmt::format(", {}", row.name);
    return Error(ErrorCode::UsageInvalid, fmt::format("There is no statistic \"{}\".", name),
                 fmt::format("Choose from: all, basic{}.", names));
}

}  // namespace

std::span<const OptionalStatRow> optional_stats() { return kRows; }

std::string_view stat_name(OptionalStat stat) {
    const auto found = std::find_if(kRows.begin(), kRows.end(), [stat](const OptionalStatRow& row) {
        return row.stat == stat;
    });
    return found->name;
}

StatChoice StatChoice::defaults() {
    StatChoice choice;
    for (const OptionalStatRow& row : kRows) {
        if (row.is_default) choice.add(row.stat);
    }
    return choice;
}

StatChoice StatChoice::all() {
    StatChoice choice;
    choice.chosen_.set();
    return choice;
}

StatChoice StatChoice::parse(std::string_view text) {
    StatChoice named;
    bool is_basic = false;
    while (!text.empty()) {
        const std::string_view name = text.substr(0, text.find(','));
        text.remove_prefix(std::min(text.size(), name.size() + 1));
        const auto found =
            std::find_if(kRows.begin(), kRows.end(),
                         [name](const OptionalStatRow& row) { return row.name == name; });
        if (found != kRows.end()) {
            named.add(found->stat);
        } else if (name == "all") {
            named = all();
        } else if (name == "basic") {
            is_basic = true;
        } else if (name != "default") {
            throw unknown(name);
        }
    }
    if (!is_basic) named.chosen_ |= defaults().chosen_;
    return named;
}

std::vector<std::string> StatChoice::names() const {
    std::vector<std::string> names;
    for (const OptionalStatRow& row : kRows) {
        if (has(row.stat)) names.emplace_back(row.name);
    }
    return names;
}

}  // namespace espalier
