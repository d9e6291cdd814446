#include <array>
#include <fmt/format.h>
#include <utility>

#include "tokenizer/jinja/attribute_path.h"
#include "tokenizer/jinja/evaluator.h"
#include "tokenizer/jinja/filters.h"
#include "tokenizer/jinja/operators.h"
#include "tokenizer/jinja/repr.h"

namespace espalier::jinja {
namespace {

/// The arguments without the first `count`.
Arguments without_first(const Arguments& arguments, std::size_t count) {
    Arguments rest = arguments;
    rest.positional.erase(rest.positional.begin(),
                          rest.positional.begin() + static_cast<std::ptrdiff_t>(count));
    return rest;
}

const Value* named(const Arguments& arguments, std::string_view name) {
    for (const auto& [key, value] : arguments.named) {
        if (key == name) return &value;
    }
    return nullptr;
}

std::string text_argument(const Arguments& arguments, std::size_t index, const char* what) {
    if (index >= arguments.positional.size()) {
        throw Fault(FaultKind::Type, fmt::format("{} is missing", what));
    }
    return to_text(arguments.positional[index]);
}

Value map_attribute(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
    const AttributePath path(*named(arguments, "attribute"));
    const Value* fallback = named(arguments, "default");
    std::vector<Value> result;
    for (const Value& value : iterate(input)) {
        Value found = path.of(evaluator, value);
        result.push_back(found.is_undefined() && fallback != nullptr ? *fallback
                                                                     : std::move(found));
    }
    return Value::iterator(std::move(result));
}

Value map_filter(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
    if (arguments.positional.empty() && named(arguments, "attribute") != nullptr) {
        return map_attribute(evaluator, input, arguments);
    }
    const std::string filter = text_argument(arguments, 0, "map requires a filter argument; it");
    const Arguments rest = without_first(arguments, 1);
    std::vector<Value> result;
    for (const Value& value : iterate(input)) {
        result.push_back(evaluator.apply_filter(filter, value, rest));
    }
    return Value::iterator(std::move(result));
}

/// select, reject; with ByAttribute, selectattr and rejectattr. Without a test, truth decides.
template <bool Keeps, bool ByAttribute>
Value select_filter(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
    const std::size_t skipped = ByAttribute ? 1 : 0;
    if (ByAttribute) text_argument(arguments, 0, "the attribute's name");
    const AttributePath path(ByAttribute ? arguments.positional[0] : Value());
    const bool has_test = arguments.positional.size() > skipped;
    const std::string test = has_test ? to_text(arguments.positional[skipped]) : "";
    const Arguments rest = without_first(arguments, skipped + (has_test ? 1 : 0));
    std::vector<Value> result;
    for (Value& value : iterate(input)) {
        const Value examined = path.of(evaluator, value);
        evaluator.charge(1);
        const bool passes =
            has_test ? evaluator.apply_test(test, examined, rest) : examined.is_true();
        if (passes == Keeps) result.push_back(std::move(value));
    }
    return Value::iterator(std::move(result));
}

constexpr std::array kRows{
    FilterRow{"map", map_filter},
    FilterRow{"select", select_filter<true, false>},
    FilterRow{"reject", select_filter<false, false>},
    FilterRow{"selectattr", select_filter<true, true>},
    FilterRow{"rejectattr", select_filter<false, true>},
};

}  // namespace

std::span<const FilterRow> selection_filters() { return kRows; }

}  // namespace espalier::jinja
