#include "quant/gguf_label.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <fmt/format.h>

#include "tensor/shape.h"

namespace espalier {
namespace {

/// Two significant digits at least: "415K", "1.8B", "30B".
std::string rounded_count(double count) {
    const auto [scale, suffix] = count > 1e12  ? std::pair(1e12, "T")
                                 : count > 1e9 ? std::pair(1e9, "B")
                                 : count > 1e6 ? std::pair(1e6, "M")
                                               : std::pair(1e3, "K");
    const double scaled = count / scale;
    const int decimals = scaled < 9.5 ? 1 : 0;
    return fmt::format("{:.{}f}{}", scaled, decimals, suffix);
}

std::string upper_case(std::string_view text) {
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return result;
}

}  // namespace

std::string size_label(const QuantPlan& plan) {
    std::uint64_t shared = 0;
    std::uint64_t of_one_expert = 0;
    std::int64_t num_experts = 0;
    for (const PlannedTensor& tensor : plan.tensors) {
        const std::uint64_t count = num_elements(tensor.spec.shape).value_or(0);
        // The converter counts the biases of all experts.
        if (is_expert_role(tensor.key.role) && tensor.spec.shape.size() == 3) {
            num_experts = tensor.spec.shape.front();
            of_one_expert += count / static_cast<std::uint64_t>(num_experts);
        } else {
            shared += count;
        }
    }
    const std::string size = rounded_count(static_cast<double>(shared + of_one_expert));
    return num_experts > 0 ? fmt::format("{}x{}", num_experts, size) : size;
}

std::string suggested_gguf_name(std::string_view model_name, const QuantPlan& plan) {
    std::string base(model_name.empty() ? "model" : model_name);
    std::replace_if(
        base.begin(), base.end(), [](char c) { return c == ' ' || c == '/'; }, '-');
    return fmt::format("{}-{}-{}.gguf", base, size_label(plan), upper_case(plan.file_type));
}

}  // namespace espalier
