#include "model/tensor_names.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

namespace espalier {
namespace {

constexpr std::string_view kLayer = "{l}";
constexpr std::string_view kExpert = "{e}";

/// A number as names hold it: decimal, without sign or leading zeros.
bool take_number(std::string_view& text, std::int32_t& number) noexcept {
    if (text.empty() || text[0] < '0' || text[0] > '9') return false;
    if (text.size() > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9') return false;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return error == std::errc();
}

/// What may follow the pattern of a row.
bool is_ending(const TensorName& row, std::string_view rest) noexcept {
    if (row.form == TensorForm::Mxfp4Pair) return rest == kBlocksSuffix || rest == kScalesSuffix;
    return rest.empty() || rest == kScaleInvSuffix;
}

std::optional<TensorKey> match(const TensorName& row, std::string_view pattern,
                               std::string_view name) noexcept {
    TensorKey key{row.role, -1, -1};
    while (!pattern.empty()) {
        if (pattern.starts_with(kLayer) || pattern.starts_with(kExpert)) {
            const bool is_layer = pattern.starts_with(kLayer);
            if (!take_number(name, is_layer ? key.layer : key.expert)) return std::nullopt;
            pattern.remove_prefix(kLayer.size());
        } else {
            if (name.empty() || name[0] != pattern[0]) return std::nullopt;
            name.remove_prefix(1);
            pattern.remove_prefix(1);
        }
    }
    return is_ending(row, name) ? std::optional(key) : std::nullopt;
}

}  // namespace

std::string tensor_name(std::string_view pattern, const TensorKey& key) {
    return fmt::format(fmt::runtime(pattern), fmt::arg("l", key.layer), fmt::arg("e", key.expert));
}

std::optional<TensorKey> match_name(const NameTable& table, std::string_view name) noexcept {
    const bool has_other = !table.other_prefix.empty() && name.starts_with(table.other_prefix);
    for (const auto& row : table.names) {
        const bool has_prefix = has_other && row.pattern.starts_with(kModelPrefix);
        const auto key = has_prefix ? match(row, row.pattern.substr(kModelPrefix.size()),
                                            name.substr(table.other_prefix.size()))
                                    : match(row, row.pattern, name);
        if (key) return key;
    }
    return std::nullopt;
}

bool is_scale_name(std::string_view name) noexcept {
    return name.ends_with(kScaleInvSuffix) || name.ends_with(kScalesSuffix);
}

bool is_ignored(const NameTable& table, std::string_view name) noexcept {
    return std::any_of(table.ignored.begin(), table.ignored.end(), [&](std::string_view part) {
        return name.find(part) != std::string_view::npos;
    });
}

}  // namespace espalier
