#include "infer/stop_text_filter.h"

#include <algorithm>
#include <utility>

namespace espalier {
namespace {

/// Length of the longest end of `text` that begins `stop`.
std::size_t overlap(std::string_view text, std::string_view stop) {
    std::size_t length = std::min(text.size(), stop.size() - 1);
    while (length > 0 && !stop.starts_with(text.substr(text.size() - length))) --length;
    return length;
}

}  // namespace

StopTextFilter::StopTextFilter(std::vector<std::string> stop_texts)
    : stop_texts_(std::move(stop_texts)) {
    std::erase(stop_texts_, "");
}

std::string StopTextFilter::push(std::string_view piece) {
    if (found_) return {};
    waiting_ += piece;
    std::size_t first = std::string::npos;
    std::size_t held = 0;
    for (const std::string& stop : stop_texts_) {
        first = std::min(first, waiting_.find(stop));
        held = std::max(held, overlap(waiting_, stop));
    }
    found_ = first != std::string::npos;
    const std::size_t certain = found_ ? first : waiting_.size() - held;
    std::string text = waiting_.substr(0, certain);
    waiting_ = found_ ? std::string() : waiting_.substr(certain);
    return text;
}

std::string StopTextFilter::finish() { return std::exchange(waiting_, {}); }

}  // namespace espalier
