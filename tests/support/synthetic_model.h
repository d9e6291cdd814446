#pragma once

#include <cstdint>
#include <filesystem>

namespace espalier::test {

/// Shapes of a Qwen3-MoE checkpoint with random weights. The defaults are the tiny model that unit
/// tests use; benchmarks widen them to gigabytes.
struct SyntheticModel {
    std::int64_t num_layers = 2;
    std::int64_t hidden_size = 64;
    std::int64_t num_heads = 4;
    std::int64_t num_kv_heads = 2;
    std::int64_t head_dim = 16;
    std::int64_t num_experts = 4;
    std::int64_t top_k = 2;
    std::int64_t moe_intermediate_size = 32;
    std::int64_t vocab_size = 128;
    std::uint64_t seed = 1;
};

/// Writes a hub folder (config.json and bfloat16 weights, no tokenizer), one tensor at a time.
/// Whoever links this also links the module `formats` or espalier-core.
void write_synthetic_model(const SyntheticModel& shape, const std::filesystem::path& folder);

}  // namespace espalier::test
