#pragma once

#include <string>

#include "base/error.h"
#include "base/json.h"

namespace espalier::cli {

constexpr int kExitCancelled = 130;

/// One line. Texts of models need not be UTF-8 to the last byte: what is not is replaced.
std::string json_line(const Json& json);

/// json_line() and its end on stdout, at once, so that a script that waits for it gets it.
void print_json(const Json& json);

/// {"code", "message", "hint"}; for what a chat template could not do also "kind", and as "message"
/// the template's own words.
Json error_json(const Error& error);

}  // namespace espalier::cli
