#pragma once

#include <string>

#include "base/json.h"

namespace espalier {

/// A report.json as tables for people.
/// @param report {version, recipe_hash, stages: [{stage, seconds, peak_bytes, metrics, routing, routing_accepted (if it failed)}],
/// result: {path, bytes, sha256}}
std::string report_markdown(const Json& report, const std::string& title);

}  // namespace espalier
