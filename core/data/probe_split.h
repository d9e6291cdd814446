#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "data/dataset.h"

namespace espalier {

/// Cuts a long text behind line ends into stretches of at least `target_bytes`; joined they are the
/// text. A line much longer than that is cut between characters.
std::vector<std::string_view> cut_at_lines(std::string_view text, std::size_t target_bytes);

/// Documents of one source, divided.
struct ProbeSplit {
    std::vector<std::string_view> calibration;
    std::vector<std::string_view> probe;
};

/// Holds out the tenth of `documents` (rounded down, at least one of two or more) whose hashes are
/// lowest; the views refer to `documents`. Equal documents stay together, so that none is on both
/// sides.
ProbeSplit hold_out_probe(const std::vector<std::string_view>& documents);

}  // namespace espalier
