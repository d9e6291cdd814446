#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "routing/stat_choice.h"

namespace espalier {

inline constexpr std::size_t kGateHistogramBins = 32;
/// Equal parts of a window.
inline constexpr std::size_t kPositionBins = 8;
/// Every eighth window; those that make it every fourth; every second; all. The first rows up to i
/// summed are what T/8, T/4, T/2 and T of the tokens show.
inline constexpr std::size_t kDoublings = 4;
/// How many of an expert's strongest tokens are kept.
inline constexpr std::size_t kTopContexts = 8;

/// A token that an expert was given a large gate for. Texts are the user's data.
struct TopContext {
    double gate = 0;
    std::int64_t row = 0;       ///< of all calibration tokens, window after window
    std::int64_t window = 0;    ///< which of the data's windows
    std::int64_t position = 0;  ///< in the window
    std::int32_t token = -1;    ///< its id
    std::int32_t task = 0;      ///< index into ExpertStats::tasks
    std::string before{};       ///< a few tokens' text; empty if the model has no tokenizer
    std::string text{};         ///< the token's own
    std::string after{};
    bool operator==(const TopContext&) const = default;
};

/// Adds `more` and leaves the kTopContexts with the largest gates; equal gates: the earlier token.
void keep_top_contexts(std::vector<TopContext>& list, const std::vector<TopContext>& more);

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
    /// "position_frequency", optional, [experts, 8], by where in its window the token stands
    std::vector<std::int64_t> position_count;
    /// "doubling_frequency", "doubling_gate_mass", "doubling_wean_sum", optional, [4, experts]
    std::vector<std::int64_t> doubling_count;
    std::vector<double> doubling_gate_sum;
    std::vector<double> doubling_gated_norm_sum;
    /// "hidden_sq_sum", optional, [1], sum over tokens of ||h||^2, the residual stream that the
    /// experts' output is added to
    std::vector<double> hidden_sq_sum;
    /// "easy_ep_sum", optional, E_e = sum gate * ||f_e|| * max(0, 1 - cos(h, h')), arXiv:2504.06792
    std::vector<double> easy_ep_sum;
    /// "router_mass", optional, sum over all tokens of the router's softmax probability, chosen or
    /// not; gathered where gates are those probabilities
    std::vector<double> router_mass;
    /// "sas_sum", "sas_sq_sum", optional: D_e, sum over the tokens that chose e of
    /// d = ||y - y_{-e}||^2 / (||h||^2 + epsilon), y_{-e} with the runner-up in e's place; and of
    /// d^2
    std::vector<double> substitution_sum;
    std::vector<double> substitution_sq_sum;

    /// Split by task label, in the order of ExpertStats::tasks: [tasks, experts]. In the file
    /// "tokens.<task>.<layer>", "frequency.<task>.<layer>" and so on.
    std::vector<std::int64_t> task_tokens;    ///< "tokens", [tasks]
    std::vector<std::int64_t> task_count;     ///< "frequency"
    std::vector<double> task_gate_sum;        ///< "gate_mass"
    std::vector<double> task_gated_norm_sum;  ///< "wean_sum"
    std::vector<double> task_easy_ep_sum;     ///< "easy_ep_sum", optional

    /// Long vectors, all optional, in the second file.
    std::vector<double> output_sum;            ///< "output_sum", B_e, [experts, hidden]
    std::vector<double> gate_up_input_sq_sum;  ///< same name, H_e of gate and up, [experts, hidden]
    std::vector<double> down_input_sq_sum;     ///< same name, H_e of down, [experts, width]
    /// "gated_gram", F_ij = sum over tokens of g_i g_j <f_i, f_j>, [experts, experts], symmetric
    std::vector<double> gated_gram;
    /// "channel_energy", "channel_max_sq", J_e[c] = sum and maximum over tokens of phi^2, phi =
    /// gate
    /// * activation of hidden channel c, [experts, width]; arXiv:2508.02322
    std::vector<double> channel_energy;
    std::vector<double> channel_max_sq;
    /// "down_column_sq", ||w_down[:, c]||^2 of the weights, [experts, width]
    std::vector<double> down_column_sq;
    /// For merging, on a sample of tokens that is the same in every layer: "router_profile", the
    /// router's logits, [experts, samples]; "input_sample", what the experts are given, [samples,
    /// hidden]; "gated_output_sum", sum over all tokens of gate * f_e, [experts, hidden]
    std::vector<double> router_profile;
    std::vector<double> input_sample;
    std::vector<double> gated_output_sum;

    /// In the third file: [experts], the strongest tokens of each, strongest first; empty if they
    /// were not gathered or not read.
    std::vector<std::vector<TopContext>> top_contexts;
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

/// A layer of zeros with the vectors of the first file sized that belong to `choice`; the long
/// vectors stay empty.
LayerStats empty_layer_stats(std::int64_t num_experts, std::size_t num_tasks,
                             const StatChoice& choice = StatChoice::defaults());

/// Writes `path` (scalars F64 and counts I64, small enough to share) and, beside it, the long
/// vectors as F32 in `<stem>.vectors.safetensors` and the texts in `<stem>.contexts.json`, if there
/// are any. Tensor names are
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

/// Reads `<stem>.contexts.json`, the texts of the user's data, into `stats`; does nothing if there
/// is none. @throws Error FileMalformed; FileHash if they belong to other statistics
void load_expert_contexts(const std::filesystem::path& path, ExpertStats& stats);

/// Adds shards in the order given: counts exactly, sums in double, maxima by maximum.
/// @throws Error DataLine if they are of different models, data or settings
ExpertStats merge_expert_stats(const std::vector<ExpertStats>& shards);

}  // namespace espalier
