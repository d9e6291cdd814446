#include "tokenizer/alphabet.h"

#include <algorithm>
#include <map>

#include "base/error.h"

namespace espalier {
namespace {

constexpr char32_t kEnd = 0x110000;

/// Where a set begins or ends.
struct Edge {
    char32_t at;
    std::size_t set;
    auto operator<=>(const Edge&) const = default;
};

std::vector<Edge> edges_of(std::span<const CodePoints> sets) {
    std::vector<Edge> edges;
    for (std::size_t i = 0; i < sets.size(); ++i) {
        for (const CodePointRange range : sets[i].ranges()) {
            edges.push_back({range.first, i});
            edges.push_back({range.last + 1, i});
        }
    }
    std::sort(edges.begin(), edges.end());
    return edges;
}

/// Gives every combination of sets its number.
class Numbering {
public:
    std::uint8_t of(const std::vector<bool>& members) {
        const auto [found, is_new] = numbers_.try_emplace(members, numbers_.size());
        if (is_new && numbers_.size() > 256) {
            throw Error(ErrorCode::FileUnsupported,
                        "A regular expression of the tokenizer tells more than 256 kinds of "
                        "characters apart.",
                        "Espalier does not know this kind of tokenizer; please report the model.");
        }
        return static_cast<std::uint8_t>(found->second);
    }
    const std::map<std::vector<bool>, std::size_t>& all() const { return numbers_; }

private:
    std::map<std::vector<bool>, std::size_t> numbers_;
};

std::vector<std::uint8_t> symbols_by_code_point(std::span<const CodePoints> sets,
                                                Numbering& numbering) {
    std::vector<std::uint8_t> symbols(kEnd);
    std::vector<bool> members(sets.size());
    const std::vector<Edge> edges = edges_of(sets);
    char32_t start = 0;
    for (std::size_t i = 0; start < kEnd;) {
        for (; i < edges.size() && edges[i].at == start; ++i) {
            members[edges[i].set] = !members[edges[i].set];
        }
        const char32_t end = i < edges.size() ? edges[i].at : kEnd;
        std::fill(symbols.begin() + start, symbols.begin() + end, numbering.of(members));
        start = end;
    }
    return symbols;
}

}  // namespace

Alphabet::Alphabet(std::span<const CodePoints> sets) : symbols_of_set_(sets.size()) {
    Numbering numbering;
    const std::vector<std::uint8_t> all = symbols_by_code_point(sets, numbering);
    std::map<std::vector<std::uint8_t>, std::uint16_t> blocks;
    for (std::size_t page = 0; page < kNumPages; ++page) {
        const auto first = all.begin() + static_cast<std::ptrdiff_t>(page * 256);
        const auto [found, is_new] =
            blocks.try_emplace(std::vector<std::uint8_t>(first, first + 256),
                               static_cast<std::uint16_t>(blocks.size()));
        if (is_new) symbols_.insert(symbols_.end(), first, first + 256);
        pages_[page] = found->second;
    }
    for (const auto& [members, number] : numbering.all()) {
        for (std::size_t i = 0; i < sets.size(); ++i) {
            if (members[i]) symbols_of_set_[i].push_back(static_cast<std::uint8_t>(number));
        }
    }
    for (auto& symbols : symbols_of_set_) std::sort(symbols.begin(), symbols.end());
}

}  // namespace espalier
