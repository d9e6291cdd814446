#include "tokenizer/bpe_merges.h"

#include <algorithm>
#include <fmt/format.h>
#include <functional>
#include <utility>

#include "tokenizer/utf8_cursor.h"

namespace espalier {
namespace {

constexpr TokenId kGone = -1;

/// The two parts of rule `index`.
std::pair<std::string, std::string> read_rule(const JsonPart& json, std::size_t index) {
    const Json& rule = json.value()[index];
    if (rule.is_array() && rule.size() == 2 && rule[0].is_string() && rule[1].is_string()) {
        return {rule[0].get<std::string>(), rule[1].get<std::string>()};
    }
    if (rule.is_string()) {
        const auto text = rule.get<std::string>();
        const std::size_t space = text.find(' ');
        if (space != std::string::npos && text.find(' ', space + 1) == std::string::npos) {
            return {text.substr(0, space), text.substr(space + 1)};
        }
    }
    json.malformed(fmt::format("has a rule {} that is neither \"a b\" nor [\"a\", \"b\"]", index));
}

}  // namespace

BpeMerges::BpeMerges(const JsonPart& json, const Vocabulary& vocabulary, std::size_t prefix_bytes) {
    if (!json.value().is_array()) json.malformed("should be a list of rules");
    const std::size_t count = json.value().size();
    if (count > 1U << 24U) json.malformed("has too many rules");
    rules_ = FlatMap(count);
    const auto id_of = [&](const std::string& token, std::size_t index) {
        const auto id = vocabulary.id_of(token);
        if (!id) {
            json.malformed(fmt::format("has a rule {} about \"{}\", which the vocabulary lacks",
                                       index, token));
        }
        return *id;
    };
    for (std::size_t i = 0; i < count; ++i) {
        const auto [left, right] = read_rule(json, i);
        const TokenId left_id = id_of(left, i);
        const TokenId right_id = id_of(right, i);
        if (right.size() < prefix_bytes) json.malformed("has a rule shorter than the prefix");
        const auto result = static_cast<std::uint32_t>(id_of(left + right.substr(prefix_bytes), i));
        if (!left.empty() && right.size() > prefix_bytes) {
            note_junction(left, std::string_view(right).substr(prefix_bytes));
        }
        rules_.insert_or_assign(key(left_id, right_id),
                                static_cast<std::uint64_t>(i) << 32U | result);
    }
}

void BpeMerges::note_junction(std::string_view left, std::string_view right) {
    std::size_t last = previous_character(left, left.size());
    std::size_t first = 0;
    const char32_t end = next_code_point(left, last);
    junctions_.insert_or_assign(
        static_cast<std::uint64_t>(end) << 32U | next_code_point(right, first), 1);
}

void BpeMerges::Queue::offer(const BpeMerges& merges, std::int32_t position) {
    const Symbol& left = symbols_[static_cast<std::size_t>(position)];
    if (left.next < 0) return;
    const auto rule = merges.find(left.id, symbols_[static_cast<std::size_t>(left.next)].id);
    if (!rule) return;
    heap_.push_back({rule->rank, position, rule->result});
}

void BpeMerges::Queue::join(const BpeMerges& merges, const Candidate& candidate) {
    const auto offer_sorted = [&](std::int32_t position) {
        const std::size_t size = heap_.size();
        offer(merges, position);
        if (heap_.size() > size) std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
    };
    Symbol& left = symbols_[static_cast<std::size_t>(candidate.position)];
    if (left.id == kGone || left.next < 0) return;
    Symbol& right = symbols_[static_cast<std::size_t>(left.next)];
    const auto rule = merges.find(left.id, right.id);
    if (!rule || rule->result != candidate.result) return;
    left.id = candidate.result;
    left.next = right.next;
    right.id = kGone;
    if (left.next >= 0) symbols_[static_cast<std::size_t>(left.next)].previous = candidate.position;
    if (left.previous >= 0) offer_sorted(left.previous);
    offer_sorted(candidate.position);
}

void BpeMerges::Queue::merge(const BpeMerges& merges, std::vector<TokenId>& symbols) {
    symbols_.clear();
    heap_.clear();
    const auto count = static_cast<std::int32_t>(symbols.size());
    for (std::int32_t i = 0; i < count; ++i) {
        symbols_.push_back(
            {symbols[static_cast<std::size_t>(i)], i - 1, i + 1 < count ? i + 1 : -1});
    }
    for (std::int32_t i = 0; i < count; ++i) offer(merges, i);
    std::make_heap(heap_.begin(), heap_.end(), std::greater<>());
    while (!heap_.empty()) {
        std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
        const Candidate candidate = heap_.back();
        heap_.pop_back();
        join(merges, candidate);
    }
    symbols.clear();
    for (const Symbol& symbol : symbols_) {
        if (symbol.id != kGone) symbols.push_back(symbol.id);
    }
}

}  // namespace espalier
