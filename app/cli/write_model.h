#pragma once

#include <filesystem>
#include <string>

#include "app/cli/session.h"
#include "model/model_source.h"
#include "quant/write_gguf.h"

namespace espalier::cli {

struct ModelWrite {
    const ModelSource& model;
    std::string type;
    std::filesystem::path out;
    const ExpertStats* importance = nullptr;
    Json lineage = nullptr;  ///< what the file records of this; null = it is no stage
};

/// Writes a GGUF file with a progress line, and says how that went.
QuantReport write_gguf_file(const ModelWrite& write, const Session& session);

}  // namespace espalier::cli
