#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "model/forward_observer.h"

namespace espalier {

/// Keeps everything that a forward pass shows, and writes it as one safetensors file: `input_ids`,
/// `hidden_states.<i>`, `attn_out.<i>`, `mlp_out.<i>`, `final_norm`, `logits` as [rows, tokens,
/// width], `router_logits.<i>`, `router_topk_indices.<i>` (I64, ascending in each row) and
/// `router_topk_weights.<i>` as [rows * tokens, width].
class ForwardTrace : public ForwardObserver {
public:
    /// @param ids the batch, rows of equal length, in the order in which they will be seen
    explicit ForwardTrace(std::vector<std::vector<std::int32_t>> ids);

    void on_activation(Activation what, std::int64_t index, std::span<const float> rows) override;
    void on_routing(std::int64_t layer, const RoutingView& routing) override;
    /// @throws Error VerifyFailed if something has not been seen for every token
    void save(const std::filesystem::path& path) const;

private:
    std::vector<std::vector<std::int32_t>> ids_;
    std::map<std::string, std::vector<float>> values_;
    std::map<std::string, std::vector<std::int64_t>> indices_;
};

}  // namespace espalier
