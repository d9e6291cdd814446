#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "model/expert_mask.h"
#include "model/model_source.h"
#include "tokenizer/tokenizer.h"

namespace espalier::cli {

/// MODEL of the command line: a hub folder, a .gguf, or a name in the library.
/// @throws Error FileMissing if it is none of these
std::filesystem::path model_path(const std::string& model);

std::unique_ptr<ModelSource> open_model(const std::string& model);

/// @throws Error FileMissing if the model has none
Tokenizer tokenizer_of(const ModelSource& model);

/// The mask of `--expert-plan FILE`; empty without one.
ExpertMask mask_of(const std::string& plan_file, const MoeConfig& config);

}  // namespace espalier::cli
