#pragma once

#include <filesystem>
#include <string>

#include "app/cli/session.h"
#include "model/model_source.h"
#include "quant/write_gguf.h"

namespace espalier::cli {

/// Writes a GGUF file of the given type with a progress line, and says how that went.
QuantReport write_gguf_file(const ModelSource& model, const std::string& type,
                            const ExpertStats* importance, const std::filesystem::path& out,
                            const Session& session);

}  // namespace espalier::cli
