#pragma once

#include <bitset>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace espalier {

/// Statistics that a calibration can do without. All others are gathered always: what REAP and the
/// basic criteria are made of.
enum class OptionalStat : std::size_t {
    Coactivation,
    GateHistogram,
    Stability,
    Positions,
    EasyEp,
    OutputSum,
    InputEnergies,
    Contexts,
    RouterMass,
    CoactGram,
    Substitution,
    Channels,
    Profiles,
};
inline constexpr std::size_t kNumOptionalStats = 13;

struct OptionalStatRow {
    OptionalStat stat;
    std::string_view name;         ///< as the command line spells it
    std::string_view description;  ///< one sentence for people
    bool is_default;               ///< costs next to nothing
};

/// All of them, in the order in which they are offered.
std::span<const OptionalStatRow> optional_stats();
std::string_view stat_name(OptionalStat stat);

/// Which optional statistics are gathered.
class StatChoice {
public:
    StatChoice() = default;  ///< none
    static StatChoice defaults();
    static StatChoice all();
    /// Names with commas between them, added to the defaults; `all`; or, with `basic` among the
    /// names, those named alone. Empty text: the defaults.
    /// @throws Error UsageInvalid that lists the names
    static StatChoice parse(std::string_view text);

    bool has(OptionalStat stat) const { return chosen_.test(static_cast<std::size_t>(stat)); }
    void add(OptionalStat stat) { chosen_.set(static_cast<std::size_t>(stat)); }
    std::vector<std::string> names() const;
    bool operator==(const StatChoice&) const = default;

private:
    std::bitset<kNumOptionalStats> chosen_;
};

}  // namespace espalier
