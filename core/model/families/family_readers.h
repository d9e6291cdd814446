#pragma once

#include "model/config_reader.h"
#include "model/moe_config.h"

namespace espalier {

/// One function a family: from the fields of its config.json to what both engines need. `family`,
/// end tokens of other files and the check of all numbers are config_from_hub's.
MoeConfig read_mixtral(ConfigReader& reader);
MoeConfig read_qwen2_moe(ConfigReader& reader);
MoeConfig read_qwen3_moe(ConfigReader& reader);
MoeConfig read_qwen3_next(ConfigReader& reader);
MoeConfig read_qwen3_5_moe(ConfigReader& reader);
MoeConfig read_olmoe(ConfigReader& reader);
MoeConfig read_gpt_oss(ConfigReader& reader);
MoeConfig read_deepseek_v2(ConfigReader& reader);
MoeConfig read_deepseek_v3(ConfigReader& reader);
MoeConfig read_glm4_moe(ConfigReader& reader);
MoeConfig read_glm4_moe_lite(ConfigReader& reader);
MoeConfig read_granitemoe(ConfigReader& reader);
MoeConfig read_lfm2_moe(ConfigReader& reader);

}  // namespace espalier
