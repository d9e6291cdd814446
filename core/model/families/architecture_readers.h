#pragma once

#include "model/gguf_key_reader.h"
#include "model/moe_config.h"

namespace espalier {

/// One function an architecture of llama.cpp: from the keys of a GGUF file to what both engines
/// need. The check of all numbers and of keys that nobody read is config_from_gguf's.
MoeConfig read_gguf_llama(GgufKeyReader& reader);
MoeConfig read_gguf_qwen2moe(GgufKeyReader& reader);
MoeConfig read_gguf_qwen3moe(GgufKeyReader& reader);
MoeConfig read_gguf_qwen3next(GgufKeyReader& reader);
MoeConfig read_gguf_qwen35moe(GgufKeyReader& reader);
MoeConfig read_gguf_olmoe(GgufKeyReader& reader);
MoeConfig read_gguf_gpt_oss(GgufKeyReader& reader);
MoeConfig read_gguf_deepseek2(GgufKeyReader& reader);
MoeConfig read_gguf_glm4moe(GgufKeyReader& reader);
MoeConfig read_gguf_granitemoe(GgufKeyReader& reader);
MoeConfig read_gguf_lfm2moe(GgufKeyReader& reader);

}  // namespace espalier
