#pragma once

#include <string>
#include <string_view>

#include "quant/quant_plan.h"

namespace espalier {

/// "8x415K": experts times what one token's share would weigh with a single expert, as llama.cpp's
/// converter counts; general.size_label.
std::string size_label(const QuantPlan& plan);

/// "Tiny-Qwen3Moe-8x415K-Q4_K_M.gguf", by the GGUF naming convention.
std::string suggested_gguf_name(std::string_view model_name, const QuantPlan& plan);

}  // namespace espalier
