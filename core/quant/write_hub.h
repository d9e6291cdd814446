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

/// Writes a hub folder with the same weights: BF16 and F16 tensors as they are, all others as F32,
/// which holds every value of a quantised block. Tokenizer, chat template and provenance come
/// along.
/// @return bytes of all tensors
/// @throws Error FileExists, those of the E-DISK family, ArchUnknown; Cancelled
std::uint64_t write_hub(const HubWrite& request);

}  // namespace espalier
