#pragma once

#include "prune/merge_methods.h"

namespace espalier {

/// The functions behind the table of merging methods; spec "expert pruning" 8.

/// Most experts in one group of REAM.
inline constexpr std::size_t kReamGroupSize = 16;

/// REAM, arXiv:2604.04356. Needs OptionalStat::Profiles.
ExpertGroups group_ream(const GroupingTask& task);
/// HC-SMoE, arXiv:2410.08589: clusters of mean outputs by average linkage of Euclidean distances.
/// Experts that no token chose have no output: they join nobody, and stay only where there is room.
/// Needs OptionalStat::OutputSum.
ExpertGroups group_hc_smoe(const GroupingTask& task);
/// M-SMoE, arXiv:2310.01334: by the cosine of the router's logits over the sampled tokens. Needs
/// OptionalStat::Profiles.
ExpertGroups group_m_smoe(const GroupingTask& task);
/// Partial preservation, after SlimQwen (arXiv:2605.08738): the worse half of the survivors,
/// rounded down, takes in all that goes, each the nearest by Euclidean distance of mean outputs.
/// Needs OptionalStat::OutputSum.
ExpertGroups group_partial(const GroupingTask& task);

}  // namespace espalier
