#include "data/probe_split.h"

#include <algorithm>
#include <set>

#include "base/file_hash.h"

namespace espalier {
namespace {

bool continues_character(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

/// Bytes of the first stretch.
std::size_t first_cut(std::string_view text, std::size_t target_bytes) {
    if (text.size() <= target_bytes) return text.size();
    const std::size_t newline = text.find('\n', target_bytes - 1);
    std::size_t cut = newline == std::string_view::npos ? text.size() : newline + 1;
    if (cut > 4 * target_bytes) {
        cut = target_bytes;
        while (cut < text.size() && continues_character(text[cut])) ++cut;
    }
    return cut;
}

}  // namespace

std::vector<std::string_view> cut_at_lines(std::string_view text, std::size_t target_bytes) {
    std::vector<std::string_view> stretches;
    while (!text.empty()) {
        stretches.push_back(text.substr(0, first_cut(text, target_bytes)));
        text.remove_prefix(stretches.back().size());
    }
    return stretches;
}

ProbeSplit hold_out_probe(const std::vector<std::string_view>& documents) {
    std::vector<std::string> hashes;
    hashes.reserve(documents.size());
    for (const std::string_view document : documents) hashes.push_back(sha256_of_text(document));

    const std::set<std::string> different(hashes.begin(), hashes.end());
    std::size_t wanted = documents.size() / 10;
    if (wanted == 0 && different.size() > 1) wanted = 1;
    std::vector<std::string> sorted = hashes;
    std::sort(sorted.begin(), sorted.end());
    ProbeSplit split;
    for (std::size_t i = 0; i < documents.size(); ++i) {
        const bool is_probe = wanted > 0 && hashes[i] <= sorted[wanted - 1];
        (is_probe && different.size() > 1 ? split.probe : split.calibration)
            .push_back(documents[i]);
    }
    return split;
}

}  // namespace espalier
