#include "base/size_text.h"

#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <fmt/format.h>

#include "base/error.h"

namespace espalier {
namespace {

std::string scaled(std::uint64_t bytes, double step, const std::array<const char*, 5>& units) {
    auto value = static_cast<double>(bytes);
    std::size_t unit = 0;
    while (value >= step && unit + 1 < units.size()) {
        value /= step;
        ++unit;
    }
    return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, units[unit]);
}

}  // namespace

std::uint64_t parse_size(std::string_view text) {
    const Error bad(ErrorCode::UsageInvalid, fmt::format("\"{}\" is not a size.", text),
                    "Write a number with a unit, such as 16GB, 12GiB or 800M.");
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
    while (unit.starts_with(' ')) unit.remove_prefix(1);
    if (error != std::errc() || !(number >= 0)) throw bad;
    constexpr double kMost = 0x1.0p62;  // far from what llround can hold
    if (number > kMost) throw bad;
    if (unit.empty() || unit == "B") return static_cast<std::uint64_t>(std::llround(number));
    const auto power = std::string_view("KMGT").find(
        static_cast<char>(std::toupper(static_cast<unsigned char>(unit[0]))));
    const std::string_view rest = unit.substr(1);
    if (power == std::string_view::npos || !(rest.empty() || rest == "B" || rest == "iB"))
        throw bad;
    const double bytes =
        number * std::pow(rest == "B" ? 1000.0 : 1024.0, static_cast<double>(power + 1));
    if (bytes > kMost) throw bad;
    return static_cast<std::uint64_t>(std::llround(bytes));
}

std::string size_text(std::uint64_t bytes) {
    return scaled(bytes, 1000.0, {"B", "kB", "MB", "GB", "TB"});
}

std::string memory_text(std::uint64_t bytes) {
    return scaled(bytes, 1024.0, {"B", "KiB", "MiB", "GiB", "TiB"});
}

}  // namespace espalier
