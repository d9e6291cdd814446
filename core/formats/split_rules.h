#pragma once

#include <span>
#include <string_view>

#include "base/json.h"

namespace espalier {

/// How a byte-level BPE tokenizer cuts text before merging, as llama.cpp names it
/// (`tokenizer.ggml.pre`).
struct SplitRule {
    std::span<const std::string_view> names;  ///< the first is written, all are read
    /// Patterns applied one after the other, each match a piece of its own; empty for the split
    /// that is built into the byte level itself (GPT-2's).
    std::span<const std::string_view> steps;
    bool ignore_merges = false;  ///< a piece that is a token as a whole is not merged
};

/// Stands among the steps for a cut at every single digit.
inline constexpr std::string_view kIndividualDigits = "(individual digits)";

/// Null if no rule has that name.
const SplitRule* find_split_rule(std::string_view name) noexcept;

/// The rule that a `pre_tokenizer` of tokenizer.json follows; null if it is none of the known.
const SplitRule* find_split_rule(const Json& pre_tokenizer, bool ignore_merges);

/// `pre_tokenizer` of tokenizer.json for a rule.
Json pre_tokenizer_json(const SplitRule& rule);

}  // namespace espalier
