#pragma once

#include <filesystem>
#include <initializer_list>

namespace espalier {

/// Refuses a result that would damage what it is made from: one that is an input, lies inside an
/// input's folder, or is a folder that holds an input. Links are followed; empty paths are no
/// inputs.
/// @throws Error FileExists
void require_apart(const std::filesystem::path& out,
                   std::initializer_list<std::filesystem::path> inputs);

}  // namespace espalier
