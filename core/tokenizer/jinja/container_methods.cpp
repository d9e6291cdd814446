#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <fmt/format.h>
#include <span>

#include "tokenizer/jinja/bound_arguments.h"
#include "tokenizer/jinja/methods.h"
#include "tokenizer/jinja/operators.h"

namespace espalier::jinja {
namespace {

Value view_of(const Value& self, Sequence::Kind kind) {
    std::vector<Value> items;
    for (const auto& [key, value] : self.map()->entries) {
        items.push_back(kind == Sequence::Kind::Keys     ? key
                        : kind == Sequence::Kind::Values ? value
                                                         : Value::tuple({key, value}));
    }
    return Sequence(kind, std::move(items));
}

template <Sequence::Kind Kind>
Value view_method(Evaluator&, const Value& self, const Arguments& arguments) {
    const BoundArguments bound("items", arguments, {});
    return view_of(self, Kind);
}

Value get_method(Evaluator&, const Value& self, const Arguments& arguments) {
    const BoundArguments bound("get", arguments, {"key", "default"}, 1);
    const Value* found = self.map()->find(*bound.find(0));
    return found != nullptr ? *found : bound.value(1);
}

Value copy_method(Evaluator&, const Value& self, const Arguments& arguments) {
    const BoundArguments bound("copy", arguments, {});
    return self;
}

Value index_method(Evaluator&, const Value& self, const Arguments& arguments) {
    const BoundArguments bound("index", arguments, {"value"}, 1);
    const auto& items = self.list_or_tuple()->items;
    const auto found = std::find_if(items.begin(), items.end(),
                                    [&](const Value& item) { return equal(item, *bound.find(0)); });
    if (found == items.end()) throw Fault(FaultKind::Type, "the value is not in the list");
    return std::int64_t{found - items.begin()};
}

Value count_method(Evaluator&, const Value& self, const Arguments& arguments) {
    const BoundArguments bound("count", arguments, {"value"}, 1);
    const auto& items = self.list_or_tuple()->items;
    return std::int64_t{std::count_if(items.begin(), items.end(), [&](const Value& item) {
        return equal(item, *bound.find(0));
    })};
}

Value bit_length_method(Evaluator&, const Value& self, const Arguments& arguments) {
    const BoundArguments bound("bit_length", arguments, {});
    const std::int64_t number = *self.integer();
    const auto bits = static_cast<std::uint64_t>(number);
    return static_cast<std::int64_t>(std::bit_width(number < 0 ? 0 - bits : bits));
}

Value is_integer_method(Evaluator&, const Value& self, const Arguments& arguments) {
    const BoundArguments bound("is_integer", arguments, {});
    return self.integer() || std::trunc(*self.floating()) == *self.floating();
}

constexpr std::array kMapRows{
    MethodRow{"get", get_method},
    MethodRow{"keys", view_method<Sequence::Kind::Keys>},
    MethodRow{"values", view_method<Sequence::Kind::Values>},
    MethodRow{"items", view_method<Sequence::Kind::Items>},
    MethodRow{"copy", copy_method},
};
constexpr std::array kListRows{MethodRow{"index", index_method}, MethodRow{"count", count_method}};
constexpr std::array kNumberRows{MethodRow{"bit_length", bit_length_method},
                                 MethodRow{"is_integer", is_integer_method}};

Method find_in(std::span<const MethodRow> rows, std::string_view name) {
    const auto found = std::find_if(rows.begin(), rows.end(),
                                    [name](const MethodRow& row) { return row.name == name; });
    return found == rows.end() ? nullptr : found->method;
}

bool is_one_of(std::initializer_list<std::string_view> names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

Method find_container_method(const Value& self, std::string_view name) {
    if (self.map() != nullptr) return find_in(kMapRows, name);
    if (self.list_or_tuple() != nullptr) return find_in(kListRows, name);
    if (self.is_number()) {
        if (name == "bit_length" && !self.integer()) return nullptr;
        return find_in(kNumberRows, name);
    }
    return nullptr;
}

Method find_method(const Value& self, std::string_view name) {
    return self.text() != nullptr ? find_text_method(name) : find_container_method(self, name);
}

bool is_changing_method(const Value& self, std::string_view name) {
    if (self.map() != nullptr) {
        return is_one_of({"clear", "pop", "popitem", "setdefault", "update"}, name);
    }
    const Sequence* list = self.list_or_tuple();
    return list != nullptr && list->kind == Sequence::Kind::List &&
           is_one_of({"append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"},
                     name);
}

}  // namespace espalier::jinja
