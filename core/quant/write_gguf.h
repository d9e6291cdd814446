#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/thread_pool.h"
#include "formats/gguf_value.h"
#include "model/model_source.h"
#include "quant/quant_plan.h"
#include "routing/expert_stats.h"

namespace espalier {

struct QuantReport {
    std::uint64_t bytes = 0;                             ///< of the whole file
    std::map<std::string, std::uint64_t> bytes_by_type;  ///< "Q4_K" -> bytes
    /// sqrt(sum w e^2 / sum w x^2) over all quantised tensors, w = importance or 1.
    double weighted_rel_rmse = 0;
    std::vector<std::string>
        fallbacks;  ///< "blk.0.ffn_down_exps.weight: Q6_K -> Q8_0 (rows of 96)"
    std::vector<std::string> dropped_tensors;  ///< prediction blocks, vision towers
};

struct GgufWrite {
    const ModelSource& model;
    const QuantPlan& plan;
    const ExpertStats* importance = nullptr;  ///< with long vectors
    std::filesystem::path out;
    ThreadPool& pool;
    std::function<void(std::uint64_t done_bytes, std::uint64_t total_bytes,
                       std::string_view tensor)>
        progress;
    std::stop_token stop;
    std::string name = {};   ///< general.name; empty: the model's own
    Json lineage = nullptr;  ///< what the file records of this stage; null: nothing
};

/// Writes one GGUF file that llama.cpp loads: metadata of the architecture, tokenizer, tensors
/// streamed a few rows at a time. Blocks that have their type already are copied. Bytes do not
/// depend on the number of threads. The file is opened again and compared before the call returns.
/// @throws Error NumberInvalid for NaN or infinity in a tensor, GgufInexpressible, UsageInvalid for
/// statistics of another model, VerifyFailed, and those of the E-DISK family; Cancelled within 200
/// ms
QuantReport write_gguf(const GgufWrite& request);

/// The metadata alone (architecture and tokenizer keys), as the file will have it.
/// @param name general.name; empty: the model's own
/// @param lineage appended to what the model says of its past; null: nothing
GgufMetadata gguf_metadata(const ModelSource& model, const QuantPlan& plan,
                           std::string_view name = {}, const Json& lineage = nullptr);

}  // namespace espalier
