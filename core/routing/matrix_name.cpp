#include "routing/matrix_name.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <string_view>

namespace espalier {
namespace {

using enum TensorRole;

struct RoleName {
    TensorRole role;
    std::string_view name;
};

constexpr std::array kRoleNames{
    RoleName{AttentionQ, "attn_q"},
    RoleName{AttentionK, "attn_k"},
    RoleName{AttentionV, "attn_v"},
    RoleName{AttentionOutput, "attn_output"},
    RoleName{LatentQ, "attn_q"},
    RoleName{LatentQDown, "attn_q_a"},
    RoleName{LatentQUp, "attn_q_b"},
    RoleName{LatentKvDown, "attn_kv_a_mqa"},
    RoleName{LatentKeyUp, "attn_k_b"},
    RoleName{LatentValueUp, "attn_v_b"},
    RoleName{DeltaQkv, "attn_qkv"},
    RoleName{DeltaZ, "attn_gate"},
    RoleName{DeltaBeta, "ssm_beta"},
    RoleName{DeltaDecay, "ssm_alpha"},
    RoleName{DeltaOutput, "ssm_out"},
    RoleName{ConvolutionIn, "shortconv.in_proj"},
    RoleName{ConvolutionOut, "shortconv.out_proj"},
    RoleName{DenseGate, "ffn_gate"},
    RoleName{DenseUp, "ffn_up"},
    RoleName{DenseDown, "ffn_down"},
    RoleName{Router, "ffn_gate_inp"},
    RoleName{SharedGate, "ffn_gate_shexp"},
    RoleName{SharedUp, "ffn_up_shexp"},
    RoleName{SharedDown, "ffn_down_shexp"},
    RoleName{SharedScore, "ffn_gate_inp_shexp"},
};

}  // namespace

std::optional<std::string> matrix_name(const TensorKey& key) {
    if (key.role == Output) return "output";
    const auto found =
        std::find_if(kRoleNames.begin(), kRoleNames.end(),
                     [&](const RoleName& candidate) { return candidate.role == key.role; });
    if (found == kRoleNames.end()) return std::nullopt;
    return fmt::format("blk.{}.{}", key.layer, found->name);
}

}  // namespace espalier
