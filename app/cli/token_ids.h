#pragma once

#include <string_view>
#include <vector>

#include "base/json.h"
#include "tokenizer/tokenizer.h"

namespace espalier::cli {

/// A list of token ids out of somebody's JSON.
/// @param where named in the error, e.g. "line 3 of the input"
/// @throws Error DataLine for anything but whole numbers from 0
std::vector<TokenId> token_ids_from_json(const Json& json, std::string_view where);

}  // namespace espalier::cli
