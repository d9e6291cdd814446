#include "tokenizer/jinja/value.h"

#include <algorithm>
#include <fmt/format.h>
#include <limits>

#include "tokenizer/jinja/operators.h"

namespace espalier::jinja {
namespace {

constexpr std::size_t kMaxWeight = 64U << 20U;
constexpr std::size_t kValueWeight = 16;
constexpr int kMaxDepth = 100;

void check(std::size_t weight, int depth) {
    if (weight > kMaxWeight) throw Fault(FaultKind::Limit, "a value grew too large");
    if (depth > kMaxDepth) throw Fault(FaultKind::Limit, "a value is nested too deeply");
}

}  // namespace

std::int64_t Range::size() const noexcept {
    if (step > 0) return start < stop ? (stop - start - 1) / step + 1 : 0;
    return start > stop ? (start - stop - 1) / -step + 1 : 0;
}

Value::Value(std::string text) {
    check(text.size(), 0);
    data_ = std::make_shared<const std::string>(std::move(text));
}

Value::Value(Sequence sequence) : data_(std::make_shared<const Sequence>(std::move(sequence))) {}

Value::Value(Map map) {
    check(map.weight, map.depth);
    data_ = std::make_shared<const Map>(std::move(map));
}

Value Value::undefined(std::string why, FaultKind kind) {
    Value value;
    value.data_ = std::make_shared<const Undefined>(Undefined{std::move(why), kind});
    return value;
}

Value Value::list(std::vector<Value> items) {
    return Sequence(Sequence::Kind::List, std::move(items));
}

Value Value::tuple(std::vector<Value> items) {
    return Sequence(Sequence::Kind::Tuple, std::move(items));
}

Value Value::iterator(std::vector<Value> items) {
    return Sequence(Sequence::Kind::Iterator, std::move(items));
}

Value Value::from_json(const Json& json, int depth) {
    check(0, depth);
    switch (json.type()) {
        case Json::value_t::boolean:
            return json.get<bool>();
        case Json::value_t::number_integer:
            return json.get<std::int64_t>();
        case Json::value_t::number_unsigned: {
            const auto number = json.get<std::uint64_t>();
            constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max();
            if (number > kMax) return static_cast<double>(number);
            return static_cast<std::int64_t>(number);
        }
        case Json::value_t::number_float:
            return json.get<double>();
        case Json::value_t::string:
            return json.get<std::string>();
        case Json::value_t::array: {
            std::vector<Value> items;
            for (const Json& item : json) items.push_back(from_json(item, depth + 1));
            return list(std::move(items));
        }
        case Json::value_t::object: {
            Map map;
            for (const auto& [key, value] : json.items()) map.set(key, from_json(value, depth + 1));
            return map;
        }
        default:
            return None{};
    }
}

const Undefined* Value::undefined() const {
    const auto* held = std::get_if<std::shared_ptr<const Undefined>>(&data_);
    return held == nullptr ? nullptr : held->get();
}

std::optional<std::int64_t> Value::integer() const {
    if (const auto* number = std::get_if<std::int64_t>(&data_)) return *number;
    if (const auto* flag = std::get_if<bool>(&data_)) return *flag ? 1 : 0;
    return std::nullopt;
}

std::optional<double> Value::number() const {
    if (const auto whole = integer()) return static_cast<double>(*whole);
    if (const auto* number = std::get_if<double>(&data_)) return *number;
    return std::nullopt;
}

const std::string* Value::text() const {
    const auto* held = std::get_if<Text>(&data_);
    return held == nullptr ? nullptr : held->get();
}

const Sequence* Value::sequence() const {
    const auto* held = std::get_if<std::shared_ptr<const Sequence>>(&data_);
    return held == nullptr ? nullptr : held->get();
}

const Sequence* Value::list_or_tuple() const {
    const Sequence* held = sequence();
    const bool fits = held != nullptr &&
                      (held->kind == Sequence::Kind::List || held->kind == Sequence::Kind::Tuple);
    return fits ? held : nullptr;
}

const Map* Value::map() const {
    const auto* held = std::get_if<std::shared_ptr<const Map>>(&data_);
    return held == nullptr ? nullptr : held->get();
}

Object* Value::object() const {
    const auto* held = std::get_if<Object*>(&data_);
    return held == nullptr ? nullptr : *held;
}

bool Value::is_true() const {
    if (is_undefined() || is_none()) return false;
    if (const auto number = this->number()) return *number != 0.0;
    if (const auto* held = text()) return !held->empty();
    if (const auto* held = map()) return !held->entries.empty();
    if (const auto* held = range()) return held->size() > 0;
    if (const auto* held = sequence()) {
        return held->kind == Sequence::Kind::Iterator || !held->items.empty();
    }
    return true;
}

std::string Value::type_name() const {
    if (is_undefined()) return "Undefined";
    if (is_none()) return "NoneType";
    if (boolean() != nullptr) return "bool";
    if (integer()) return "int";
    if (floating() != nullptr) return "float";
    if (text() != nullptr) return "str";
    if (map() != nullptr) return "dict";
    if (range() != nullptr) return "range";
    if (const Object* held = object()) return held->type_name();
    static constexpr const char* kNames[] = {"list",      "tuple",       "generator",
                                             "dict_keys", "dict_values", "dict_items"};
    return kNames[static_cast<std::size_t>(sequence()->kind)];
}

std::size_t Value::weight() const noexcept {
    if (const auto* held = text()) return kValueWeight + held->size();
    if (const auto* held = sequence()) return held->weight;
    if (const auto* held = map()) return held->weight;
    return kValueWeight;
}

int Value::depth() const noexcept {
    if (const auto* held = sequence()) return held->depth;
    if (const auto* held = map()) return held->depth;
    return 0;
}

bool Value::is_same(const Value& other) const {
    if (data_.index() != other.data_.index()) return false;
    if (sequence() != nullptr || map() != nullptr || object() != nullptr) {
        return sequence() == other.sequence() && map() == other.map() && object() == other.object();
    }
    return equal(*this, other);
}

Sequence::Sequence(Kind what_kind, std::vector<Value> values)
    : kind(what_kind), items(std::move(values)) {
    weight = kValueWeight;
    for (const Value& item : items) {
        weight += item.weight();
        depth = std::max(depth, item.depth());
    }
    check(weight, ++depth);
}

std::optional<std::size_t> Map::index_of(const Value& key) const {
    if (const std::string* text = key.text()) {
        const auto found = index_.find(*text);
        return found == index_.end() ? std::nullopt : std::optional(found->second);
    }
    for (const std::size_t i : other_keys_) {
        if (equal(entries[i].first, key)) return i;
    }
    return std::nullopt;
}

void Map::set(Value key, Value value) {
    if (key.map() != nullptr || (key.sequence() != nullptr && key.list_or_tuple() == nullptr) ||
        (key.sequence() != nullptr && key.sequence()->kind == Sequence::Kind::List)) {
        throw Fault(FaultKind::Type, fmt::format("unhashable type: '{}'", key.type_name()));
    }
    weight += key.weight() + value.weight();
    depth = std::max({depth, key.depth() + 1, value.depth() + 1});
    check(weight, depth);
    if (const auto index = index_of(key)) {
        entries[*index].second = std::move(value);
        return;
    }
    if (const std::string* text = key.text()) {
        index_.emplace(*text, entries.size());
    } else {
        other_keys_.push_back(entries.size());
    }
    entries.emplace_back(std::move(key), std::move(value));
}

const Value* Map::find(const Value& key) const {
    const auto index = index_of(key);
    return index ? &entries[*index].second : nullptr;
}

const Value* Map::find(std::string_view key) const {
    const auto found = index_.find(std::string(key));
    return found == index_.end() ? nullptr : &entries[found->second].second;
}

std::string Object::repr() const { return fmt::format("<{}>", type_name()); }

Value Object::call(Evaluator&, const Arguments&) {
    throw Fault(FaultKind::Type, fmt::format("'{}' object is not callable", type_name()));
}

}  // namespace espalier::jinja
