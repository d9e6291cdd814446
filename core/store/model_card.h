#pragma once

#include <filesystem>
#include <string>

namespace espalier {

/// The licence that a model's card (README.md) names at its head: "apache-2.0". Where it says
/// "other", the name that it gives beside that. Without one "LICENSE" if there is such a file, else
/// empty.
std::string licence_of(const std::filesystem::path& folder);

}  // namespace espalier
