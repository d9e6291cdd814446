#include "tokenizer/jinja/tests.h"

#include <algorithm>
#include <array>

#include "tokenizer/jinja/bound_arguments.h"
#include "tokenizer/jinja/evaluator.h"
#include "tokenizer/jinja/filters.h"
#include "tokenizer/jinja/operators.h"
#include "tokenizer/jinja/repr.h"
#include "tokenizer/jinja/text.h"

namespace espalier::jinja {
namespace {

/// A test of the value alone.
template <bool (*Predicate)(const Value&)>
bool plain(Evaluator&, const Value& input, const Arguments& arguments) {
    const BoundArguments bound("test", arguments, {});
    return Predicate(input);
}

/// A test against one other value.
template <bool (*Predicate)(const Value&, const Value&)>
bool against(Evaluator&, const Value& input, const Arguments& arguments) {
    const BoundArguments bound("test", arguments, {"other"}, 1);
    return Predicate(input, *bound.find(0));
}

bool is_defined(const Value& value) { return !value.is_undefined(); }
bool is_undefined(const Value& value) { return value.is_undefined(); }
bool is_none(const Value& value) { return value.is_none(); }
bool is_true(const Value& value) { return value.boolean() != nullptr && *value.boolean(); }
bool is_false(const Value& value) { return value.boolean() != nullptr && !*value.boolean(); }
bool is_boolean(const Value& value) { return value.boolean() != nullptr; }
bool is_integer(const Value& value) { return value.integer() && value.boolean() == nullptr; }
bool is_float(const Value& value) { return value.floating() != nullptr; }
bool is_number(const Value& value) { return value.is_number(); }
bool is_string(const Value& value) { return value.text() != nullptr; }
bool is_mapping(const Value& value) { return value.map() != nullptr; }
bool is_sequence(const Value& value) {
    return value.is_undefined() || value.text() != nullptr || value.map() != nullptr ||
           value.range() != nullptr || value.list_or_tuple() != nullptr;
}
bool is_callable(const Value& value) {
    return value.object() != nullptr && value.object()->is_callable();
}
bool is_lower_text(const Value& value) { return is_lower(to_text(value)); }
bool is_upper_text(const Value& value) { return is_upper(to_text(value)); }
bool is_escaped(const Value&) { return false; }
bool is_filter(const Value& value) { return find_filter(to_text(value)) != nullptr; }
bool is_test(const Value& value) { return find_test(to_text(value)) != nullptr; }

bool is_remainder(const Value& value, std::int64_t divisor, std::int64_t remainder) {
    return equal(arithmetic("%", value, divisor), remainder);
}
bool is_even(const Value& value) { return is_remainder(value, 2, 0); }
bool is_odd(const Value& value) { return is_remainder(value, 2, 1); }

bool divides(const Value& value, const Value& divisor) {
    return equal(arithmetic("%", value, divisor), 0);
}
bool not_equal(const Value& a, const Value& b) { return !equal(a, b); }
bool greater(const Value& a, const Value& b) { return less(b, a); }
bool at_most(const Value& a, const Value& b) { return !less(b, a); }
bool at_least(const Value& a, const Value& b) { return !less(a, b); }
bool is_in(const Value& item, const Value& container) { return contains(container, item); }
bool is_same(const Value& a, const Value& b) { return a.is_same(b); }

struct TestRow {
    std::string_view name;
    Test test;
};

constexpr std::array kRows{
    TestRow{"defined", plain<is_defined>},   TestRow{"undefined", plain<is_undefined>},
    TestRow{"none", plain<is_none>},         TestRow{"true", plain<is_true>},
    TestRow{"false", plain<is_false>},       TestRow{"boolean", plain<is_boolean>},
    TestRow{"integer", plain<is_integer>},   TestRow{"float", plain<is_float>},
    TestRow{"number", plain<is_number>},     TestRow{"string", plain<is_string>},
    TestRow{"mapping", plain<is_mapping>},   TestRow{"sequence", plain<is_sequence>},
    TestRow{"iterable", plain<is_iterable>}, TestRow{"callable", plain<is_callable>},
    TestRow{"lower", plain<is_lower_text>},  TestRow{"upper", plain<is_upper_text>},
    TestRow{"escaped", plain<is_escaped>},   TestRow{"filter", plain<is_filter>},
    TestRow{"test", plain<is_test>},         TestRow{"even", plain<is_even>},
    TestRow{"odd", plain<is_odd>},           TestRow{"divisibleby", against<divides>},
    TestRow{"in", against<is_in>},           TestRow{"sameas", against<is_same>},
    TestRow{"eq", against<equal>},           TestRow{"equalto", against<equal>},
    TestRow{"==", against<equal>},           TestRow{"ne", against<not_equal>},
    TestRow{"!=", against<not_equal>},       TestRow{"lt", against<less>},
    TestRow{"lessthan", against<less>},      TestRow{"<", against<less>},
    TestRow{"gt", against<greater>},         TestRow{"greaterthan", against<greater>},
    TestRow{">", against<greater>},          TestRow{"le", against<at_most>},
    TestRow{"<=", against<at_most>},         TestRow{"ge", against<at_least>},
    TestRow{">=", against<at_least>},
};

}  // namespace

Test find_test(std::string_view name) {
    const auto found = std::find_if(kRows.begin(), kRows.end(),
                                    [name](const TestRow& row) { return row.name == name; });
    return found == kRows.end() ? nullptr : found->test;
}

}  // namespace espalier::jinja
