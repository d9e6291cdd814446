#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"

namespace espalier {

inline constexpr std::size_t kGateHistogramBins = 32;

/// Sums over the calibration tokens for one routed layer; spec "expert pruning" 2 gives the
/// formulas. All vectors are [experts] unless a shape stands beside them; those marked optional may
/// be empty. Sums, never means, so that shards add. In quotes: the statistic's name in the file.
struct LayerStats {
    std::int64_t tokens = 0;                ///< "tokens", T
    std::vector<std::int64_t> count;        ///< "frequency", n_e, times selected
    std::vector<double> gate_sum;           ///< "gate_mass", G_e
    std::vector<double> norm_sum;           ///< "ean_sum", A_e = sum ||f_e||
    std::vector<double> gated_norm_sum;     ///< "wean_sum", R_e = sum gate * ||f_e||
    std::vector<double> gated_norm_sq_sum;  ///< "wean_sq_sum", R2_e
    std::vector<double> norm_sq_sum;        ///< "ean_sq_sum", sum ||f_e||^2
    std::vector<double> max_abs;            ///< "max_act", M_e
    /// "coactivation", optional, [experts, experts], symmetric, diagonal = count
    std::vector<std::int64_t> coactivation;
    /// "gate_histogram", optional, [experts, 32], gate in [0, 1) when routed
    std::vector<std::int64_t> gate_histogram;
    std::vector<std::int64_t>
        half_count;  ///< "half_frequency", optional, [2, experts], by half of the data
    std::vector<double> half_gated_norm_sum;  ///< "half_wean_sum", optional, [2, experts]

    /// Split by task label, in the order of ExpertStats::tasks: [tasks, experts]. In the file
    /// "tokens.<task>.<layer>", "frequency.<task>.<layer>" and so on.
    std::vector<std::int64_t> task_tokens;    ///< "tokens", [tasks]
    std::vector<std::int64_t> task_count;     ///< "frequency"
    std::vector<double> task_gate_sum;        ///< "gate_mass"
    std::vector<double> task_gated_norm_sum;  ///< "wean_sum"

    /// Long vectors, all optional, in the second file.
    std::vector<double> output_sum;            ///< "output_sum", B_e, [experts, hidden]
    std::vector<double> gate_up_input_sq_sum;  ///< same name, H_e of gate and up, [experts, hidden]
    std::vector<double> down_input_sq_sum;     ///< same name, H_e of down, [experts, width]
    bool operator==(const LayerStats&) const = default;
};

/// Input energy of a matrix that is not an expert's: sum over tokens of x^2 per column.
struct InputEnergy {
    std::int64_t tokens = 0;     ///< "input_tokens.<matrix>", in the first file
    std::vector<double> sq_sum;  ///< "input_sq_sum.<matrix>", [columns], in the second
    bool operator==(const InputEnergy&) const = default;
};

/// What one calibration pass measured.
struct ExpertStats {
    std::string model_hash;
    std::string tokenizer_hash;
    std::string data_hash;
    std::string file_hash;  ///< SHA-256 of the first file; empty unless loaded
    std::int64_t num_experts = 0;
    std::int64_t top_k = 0;
    std::vector<std::string> tasks;
    /// Context, budget, seed, dtype; "shard" (`{"index", "count"}`) is the one key in which the
    /// shards of one measurement may differ.
    Json settings = Json::object();
    std::map<std::int64_t, LayerStats> layers;  ///< by absolute layer index
    /// By GGUF-like name of the matrix: "blk.3.attn_q", "blk.3.ffn_gate_inp", …
    std::map<std::string, InputEnergy> input_energies;

    std::int64_t total_tokens() const noexcept;
};

/// A layer of zeros with every per-expert vector sized, the optional ones of the first file
/// included; the long vectors stay empty.
LayerStats empty_layer_stats(std::int64_t num_experts, std::size_t num_tasks);

/// Writes `path` (scalars F64 and counts I64, small enough to share) and, beside it, the long
/// vectors as F32 in `<stem>.vectors.safetensors` if there are any. Tensor names are
/// `<statistic>.<layer>` and
/// `<statistic>.<task>.<layer>`; `reap.<layer>` stands there too, derived, for other readers.
/// Hashes, tokens, tasks and settings are JSON under the metadata key "espalier".
/// @return the SHA-256 of the first file
/// @throws Error NumberInvalid for a sum that is not finite, VerifyFailed for vectors of the wrong
/// size
std::string save_expert_stats(const ExpertStats& stats, const std::filesystem::path& path);
/// @param with_vectors also reads the long vectors, if their file is there
/// @throws Error FileMalformed naming the tensor; FileHash if the vectors belong to other
/// statistics
ExpertStats load_expert_stats(const std::filesystem::path& path, bool with_vectors = false);

/// Adds shards in the order given: counts exactly, sums in double, maxima by maximum.
/// @throws Error DataLine if they are of different models, data or settings
ExpertStats merge_expert_stats(const std::vector<ExpertStats>& shards);

}  // namespace espalier
