#include "tokenizer/jinja/loop.h"

#include <algorithm>
#include <utility>

#include "tokenizer/jinja/bound_arguments.h"
#include "tokenizer/jinja/operators.h"

namespace espalier::jinja {

Loop::Loop(std::vector<Value> items, int depth, std::function<std::string(const Value&)> recurse)
    : items_(std::move(items)), size_(items_.size()), depth_(depth), recurse_(std::move(recurse)) {}

void Loop::finish() {
    items_.clear();
    items_.shrink_to_fit();
    recurse_ = nullptr;
}

Value Loop::neighbour(std::ptrdiff_t distance) const {
    const auto place = static_cast<std::ptrdiff_t>(index_) + distance;
    if (place < 0 || place >= static_cast<std::ptrdiff_t>(items_.size())) {
        return Value::undefined(distance < 0 ? "there is no previous item"
                                             : "there is no next item");
    }
    return items_[static_cast<std::size_t>(place)];
}

std::optional<Value> Loop::attribute(std::string_view name) const {
    const auto index = static_cast<std::int64_t>(index_);
    const auto size = static_cast<std::int64_t>(size_);
    if (name == "index") return index + 1;
    if (name == "index0") return index;
    if (name == "revindex") return size - index;
    if (name == "revindex0") return size - index - 1;
    if (name == "first") return index == 0;
    if (name == "last") return index + 1 == size;
    if (name == "length") return size;
    if (name == "depth") return depth_ + 1;
    if (name == "depth0") return depth_;
    if (name == "previtem") return neighbour(-1);
    if (name == "nextitem") return neighbour(1);
    if (name == "cycle") return cycle_;
    if (name == "changed") return changed_;
    return std::nullopt;
}

Value Loop::call(Evaluator&, const Arguments& arguments) {
    const BoundArguments bound("loop", arguments, {"iterable"}, 1);
    if (!recurse_) throw Fault(FaultKind::Type, "The loop must have the 'recursive' marker.");
    return recurse_(*bound.find(0));
}

Value Loop::cycle(const Arguments& arguments) {
    if (arguments.positional.empty()) throw Fault(FaultKind::Type, "no items for cycling given");
    return arguments.positional[index_ % arguments.positional.size()];
}

Value Loop::changed(const Arguments& arguments) {
    const bool is_same =
        has_last_ && std::equal(last_.begin(), last_.end(), arguments.positional.begin(),
                                arguments.positional.end(), equal);
    last_ = arguments.positional;
    has_last_ = true;
    return !is_same;
}

}  // namespace espalier::jinja
