#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>

#include "model/model_source.h"

namespace espalier {

struct HubWrite {
    const ModelSource& model;
    std::filesystem::path out;
    std::function<void(std::uint64_t done_bytes, std::uint64_t total_bytes)> progress = {};
    std::stop_token stop = {};
};

/// Writes a hub folder with the same weights. Of a hub folder, every tensor byte for byte, those
/// that text does not pass through included, but for pairs of tensors, which become single ones
/// (see copy_hub.h). Of a GGUF file, BF16 and F16 tensors as they are, all others as F32, which
/// holds every value of a quantised block. Tokenizer, chat template and provenance come along.
/// @return bytes of all tensors
/// @throws Error FileExists, those of the E-DISK family, ArchUnknown; Cancelled
std::uint64_t write_hub(const HubWrite& request);

}  // namespace espalier
