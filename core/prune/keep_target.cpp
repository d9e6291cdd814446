#include <charconv>
#include <cmath>
#include <fmt/format.h>

#include "base/error.h"
#include "prune/select_experts.h"

namespace espalier {
namespace {

constexpr const char* kHint =
    "Give a share with a point, such as 0.5, or a number of experts, such as 16.";

template <typename T>
std::optional<T> parse_number(std::string_view text) {
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

}  // namespace

KeepTarget KeepTarget::parse(std::string_view text) {
    KeepTarget target;
    if (text.find('.') == std::string_view::npos) {
        target.experts = parse_number<std::int64_t>(text);
        if (target.experts && *target.experts > 0) return target;
    } else {
        target.ratio = parse_number<double>(text);
        if (target.ratio && *target.ratio > 0.0 && *target.ratio <= 1.0) return target;
    }
    throw Error(ErrorCode::UsageInvalid,
                fmt::format("\"{}\" is not a number of experts to keep.", text), kHint);
}

std::int64_t KeepTarget::kept_of(std::int64_t num_experts) const {
    const auto wanted = [&]() -> std::int64_t {
        if (experts) return *experts;
        if (!ratio || !(*ratio >= 0.0 && *ratio <= 1.0)) return 0;
        const double leaving = std::floor(static_cast<double>(num_experts) * (1.0 - *ratio) + 1e-9);
        return num_experts - static_cast<std::int64_t>(leaving);
    }();
    if (wanted >= 1 && wanted <= num_experts) return wanted;
    throw Error(ErrorCode::RunRecipe,
                fmt::format("{} experts cannot be kept of {}.", wanted, num_experts), kHint);
}

}  // namespace espalier
