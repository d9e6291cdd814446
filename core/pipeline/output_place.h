#pragma once

#include <filesystem>
#include <initializer_list>

namespace espalier {

/// Refuses a result that would damage what it is made from: one that is an input, lies inside an
/// input's folder, or is a folder that holds an input. Links are followed; of a split
/// GGUF file every part is an input; empty paths are none.
/// @throws Error FileExists
void require_apart(const std::filesystem::path& out,
                   std::initializer_list<std::filesystem::path> inputs);

}  // namespace espalier
