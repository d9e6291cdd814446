#pragma once

#include <optional>

#include "calib/token_tags.h"
#include "model/model_source.h"
#include "routing/expert_stats.h"

namespace espalier {

/// Completes the strongest tokens of every expert: where they stand and, if there is a tokenizer,
/// their text with a little of what surrounds it.
void fill_contexts(ExpertStats& stats, const TokenWindows& windows, const TokenTags& tags,
                   const std::optional<TokenizerFiles>& tokenizer);

}  // namespace espalier
