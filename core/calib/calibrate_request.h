#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "data/dataset.h"
#include "model/expert_mask.h"

namespace espalier {

/// What to calibrate on, and where the statistics go. Plain values: the command line, the stage and
/// the tests fill it; calibrate() acts on it.
struct CalibrateRequest {
    std::filesystem::path model{};
    std::vector<DataSource> data{};  ///< texts; needs the model's tokenizer
    /// Instead of `data`: JSON [[ids of a window], …], rows of any length.
    std::filesystem::path ids{};
    /// What the model wrote itself, measured beside `data`; see own_text.h. Empty: nothing.
    std::filesystem::path own_text{};
    std::filesystem::path out{};  ///< the statistics file; long vectors go beside it

    std::int64_t max_tokens = 0;  ///< budget over all data; 0 = everything
    std::int64_t context = 2048;  ///< tokens a window
    std::string probe{};  ///< probe file, "none", or empty: a tenth of the documents is held out
    /// Of the hidden states between layers: "F32", "BF16", or "auto" (F32 up to 8 GiB).
    std::string hidden_dtype = "auto";
    /// What layers compute with: "F32", "BF16" (products of rounded activations, several times
    /// faster where the processor has them), or "auto": BF16 for experts that are stored so.
    std::string compute_dtype = "auto";
    std::int64_t shard_index = 0;  ///< from 0; `--shard I/N` on the command line counts from 1
    std::int64_t shard_count = 1;
    /// Of the micro-batches, those alone that this doubling adds (doubling_of()); -1: all.
    std::int64_t doubling = -1;
    std::string stats{};  ///< optional statistics to gather, see StatChoice::parse()
    /// Experts that are not used: layers see what the masked layers before them make of the tokens.
    ExpertMask mask{};
    /// How layers are changed as they are measured (CalibrateSinks::change); goes into the file,
    /// and tells one checkpoint from another. Null: they are not.
    Json change{};
    std::uint64_t change_bytes = 0;  ///< memory that a changed layer takes
    std::string criterion = "reap";  ///< what is shown while it runs; the file holds them all

    /// Where a cut-off call leaves its checkpoints and goes on from, on the file system of `out`;
    /// empty = `<out>.partial`.
    std::filesystem::path checkpoints{};
    std::size_t num_threads = 0;      ///< 0 = physical cores
    std::uint64_t memory_budget = 0;  ///< bytes of anonymous memory, 0 = no limit given
};

/// What a finished calibration reports.
struct CalibrateResult {
    std::filesystem::path out;
    double seconds = 0;
    std::uint64_t peak_bytes = 0;   ///< of anonymous memory
    Json metrics = Json::object();  ///< tokens, tokens_per_second, layers_resumed, …
};

}  // namespace espalier
