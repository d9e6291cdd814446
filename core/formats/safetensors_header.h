#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace espalier {

/// One tensor as the header describes it; [begin, end) counts from the start of the data.
struct SafetensorsEntry {
    std::string name;
    DType dtype = DType::F32;
    Shape shape;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
};

struct SafetensorsHeader {
    std::vector<SafetensorsEntry> entries;  ///< in the order of the header
    std::map<std::string, std::string> metadata;
};

/// Reads the JSON of a header event by event: nothing is built that the format does not have,
/// however the text nests. Checks every field by itself; how the ranges lie is the caller's.
/// @param path named in errors
/// @throws Error FileMalformed or FileUnsupported
SafetensorsHeader parse_safetensors_header(std::string_view json,
                                           const std::filesystem::path& path);

}  // namespace espalier
