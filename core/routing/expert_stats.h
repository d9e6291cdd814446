#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"

namespace espalier {

inline constexpr std::size_t kGateHistogramBins = 32;

/// Sums over the calibration tokens for one routed layer; spec "expert pruning" 2 gives the formulas.
/// All vectors are [experts] unless a shape stands beside them. Sums, never means, so that shards add.
struct LayerStats {
    std::int64_t tokens = 0;                  ///< T
    std::vector<std::int64_t> count;          ///< n_e, times selected
    std::vector<double> gate_sum;             ///< G_e
    std::vector<double> norm_sum;             ///< A_e = sum ||f_e||
    std::vector<double> gated_norm_sum;       ///< R_e = sum gate * ||f_e||
    std::vector<double> gated_norm_sq_sum;    ///< R2_e
    std::vector<double> norm_sq_sum;          ///< sum ||f_e||^2
    std::vector<double> max_abs;              ///< M_e
    std::vector<std::int64_t> coactivation;   ///< [experts, experts], symmetric, diagonal = count
    std::vector<std::int64_t> gate_histogram; ///< [experts, 32], gate in [0, 1) when routed
    std::vector<std::int64_t> half_count;     ///< [2, experts], n_e by half of the data
    std::vector<double> half_gated_norm_sum;  ///< [2, experts]

    /// Split by task label, in the order of ExpertStats::tasks: [tasks, experts].
    std::vector<std::int64_t> task_tokens;    ///< [tasks]
    std::vector<std::int64_t> task_count;
    std::vector<double> task_gate_sum;
    std::vector<double> task_gated_norm_sum;

    /// Long vectors, in the second file.
    std::vector<double> output_sum;           ///< B_e, [experts, hidden]
    std::vector<double> gate_up_input_sq_sum; ///< H_e of gate and up, [experts, hidden]
    std::vector<double> down_input_sq_sum;    ///< H_e of down, [experts, width]
    bool operator==(const LayerStats&) const = default;
};

/// Input energy of a matrix that is not an expert's: sum over tokens of x^2 per column.
struct InputEnergy {
    std::int64_t tokens = 0;
    std::vector<double> sq_sum;
    bool operator==(const InputEnergy&) const = default;
};

/// What one calibration pass measured.
struct ExpertStats {
    std::string model_hash;
    std::string tokenizer_hash;
    std::string data_hash;
    std::int64_t num_experts = 0;
    std::int64_t top_k = 0;
    std::vector<std::string> tasks;
    Json settings;                         ///< context, budget, shards, seed, dtype
    std::map<std::int64_t, LayerStats> layers;  ///< by absolute layer index
    /// By GGUF-like name of the matrix: "blk.3.attn_q", "blk.3.ffn_gate_inp", …
    std::map<std::string, InputEnergy> input_energies;

    std::int64_t total_tokens() const noexcept;
};

/// Writes `path` (scalars F64 and counts I64, small enough to share) and, beside it, the long vectors as
/// F32 in `<stem>.vectors.safetensors`. Tensor names are `<statistic>.<layer>` and
/// `<statistic>.<task>.<layer>`; `frequency`, `ean_sum`, `reap` per layer are there too.
void save_expert_stats(const ExpertStats& stats, const std::filesystem::path& path);
/// @param with_vectors also reads the long vectors, if their file is there
ExpertStats load_expert_stats(const std::filesystem::path& path, bool with_vectors = false);

/// Adds shards in the order given. @throws Error DataLine if they are of different models or settings
ExpertStats merge_expert_stats(const std::vector<ExpertStats>& shards);

}  // namespace espalier
