#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace espalier {

/// "16GB" (10^9), "16GiB" or "16G" (2^30), and K, M, T likewise; a bare number is bytes.
/// @throws Error UsageInvalid
std::uint64_t parse_size(std::string_view text);

/// Files and downloads: "18.6 GB" (10^9).
std::string size_text(std::uint64_t bytes);
/// Memory: "9.8 GiB" (2^30).
std::string memory_text(std::uint64_t bytes);

}  // namespace espalier
