#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "model/model_source.h"
#include "tensor/shape.h"

namespace espalier {

/// What the inspector says about a model, or about any single weight file. Facts that a file does
/// not tell are absent.
struct ModelReport {
    struct Tensor {
        std::string name;
        std::string type;
        Shape shape;
        std::uint64_t bytes = 0;
    };

    std::string family;  ///< "qwen3_moe"; of an unknown GGUF its own architecture; else empty
    std::optional<std::int64_t> layers;
    std::optional<std::int64_t> hidden_size;
    std::optional<std::int64_t> experts;  ///< routed, in each layer; the most where they differ
    std::vector<std::int64_t> experts_by_layer;  ///< of a native model; of others empty
    std::int64_t constants = 0;                  ///< of all layers: experts without weights
    std::optional<std::int64_t> experts_per_token;
    std::optional<std::int64_t> shared_experts;
    std::optional<std::int64_t> context_length;
    std::uint64_t total_parameters = 0;
    std::optional<std::uint64_t> active_parameters;
    std::uint64_t bytes = 0;  ///< of all tensors
    std::map<std::string, std::uint64_t> bytes_by_type;
    std::vector<Tensor> tensors;
    /// Of these, by name, what text does not pass through: prediction blocks, vision towers.
    std::vector<std::string> extra_tensors;
    std::string problem;  ///< why this cannot be opened as a model; empty if it can
};

ModelReport report_on(const ModelSource& model);

/// A hub folder, a .gguf (of whatever kind: an unknown architecture, an importance matrix) or a
/// single .safetensors file.
/// @throws Error of the E-FILE family for a damaged file, E-ARCH for a hub folder that is not known
ModelReport report_on(const std::filesystem::path& path);

/// The keys that `inspect --json` prints; null where a fact is absent.
Json to_json(const ModelReport& report);

}  // namespace espalier
