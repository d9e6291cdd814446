#include "nn/expert_groups.h"

namespace espalier {

ExpertGroups::ExpertGroups(const torch::Tensor& selected, std::int64_t num_experts)
    : begin_(static_cast<std::size_t>(num_experts) + 1),
      tokens_(static_cast<std::size_t>(selected.numel())),
      slots_(tokens_.size()) {
    const std::span<const std::int64_t> chosen(selected.data_ptr<std::int64_t>(), tokens_.size());
    for (const std::int64_t expert : chosen) ++begin_[static_cast<std::size_t>(expert) + 1];
    for (std::size_t e = 1; e < begin_.size(); ++e) begin_[e] += begin_[e - 1];
    std::vector<std::size_t> next(begin_.begin(), begin_.end() - 1);
    const std::int64_t top_k = selected.size(1);
    for (std::size_t slot = 0; slot < chosen.size(); ++slot) {
        const std::size_t place = next[static_cast<std::size_t>(chosen[slot])]++;
        tokens_[place] = static_cast<std::int64_t>(slot) / top_k;
        slots_[place] = static_cast<std::int64_t>(slot);
    }
}

}  // namespace espalier
