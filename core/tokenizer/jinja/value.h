#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "base/json.h"
#include "tokenizer/jinja/fault.h"

namespace espalier::jinja {

class Evaluator;
class Object;
class Value;
struct Arguments;
struct Map;
struct Sequence;

/// Nothing is there; using it raises the fault, printing it gives nothing.
struct Undefined {
    std::string why;
    FaultKind kind = FaultKind::Undefined;
};

struct None {};

struct Range {
    std::int64_t start = 0;
    std::int64_t stop = 0;
    std::int64_t step = 1;
    std::int64_t size() const noexcept;
    std::int64_t at(std::int64_t index) const noexcept { return start + index * step; }
};

/// A value as templates see it, with Python's meaning. Containers cannot be changed once made;
/// copying is cheap. Objects belong to the evaluator, so a value must not outlive it.
class Value {
public:
    using Text = std::shared_ptr<const std::string>;
    using Data =
        std::variant<std::shared_ptr<const Undefined>, None, bool, std::int64_t, double, Text,
                     std::shared_ptr<const Sequence>, std::shared_ptr<const Map>, Range, Object*>;

    Value() : data_(None{}) {}
    Value(None) : data_(None{}) {}
    Value(bool value) : data_(value) {}
    Value(std::int64_t value) : data_(value) {}
    Value(int value) : data_(std::int64_t{value}) {}
    Value(double value) : data_(value) {}
    Value(std::string text);
    Value(std::string_view text) : Value(std::string(text)) {}
    Value(const char* text) : Value(std::string(text)) {}
    Value(Range range) : data_(range) {}
    Value(Object& object) : data_(&object) {}
    Value(Sequence sequence);
    Value(Map map);
    static Value undefined(std::string why, FaultKind kind = FaultKind::Undefined);
    static Value list(std::vector<Value> items);
    static Value tuple(std::vector<Value> items);
    /// Like a Python generator: always true, without length, empty after the first walk.
    static Value iterator(std::vector<Value> items);
    static Value from_json(const Json& json, int depth = 0);

    bool is_undefined() const { return undefined() != nullptr; }
    bool is_none() const { return std::holds_alternative<None>(data_); }
    bool is_number() const { return integer() || std::holds_alternative<double>(data_); }

    const Undefined* undefined() const;
    const bool* boolean() const { return std::get_if<bool>(&data_); }
    /// Booleans count as 0 and 1.
    std::optional<std::int64_t> integer() const;
    const double* floating() const { return std::get_if<double>(&data_); }
    /// Of an integer or a float.
    std::optional<double> number() const;
    const std::string* text() const;
    const Sequence* sequence() const;
    /// A list or tuple.
    const Sequence* list_or_tuple() const;
    const Map* map() const;
    const Range* range() const { return std::get_if<Range>(&data_); }
    Object* object() const;

    /// Python's bool(…).
    bool is_true() const;
    /// Python's type(…).__name__.
    std::string type_name() const;
    /// Work that walking over it all may take: bytes of text, and 16 for each value.
    std::size_t weight() const noexcept;
    int depth() const noexcept;
    /// The same thing, not merely an equal one.
    bool is_same(const Value& other) const;

private:
    Data data_;
};

struct Sequence {
    enum class Kind { List, Tuple, Iterator, Keys, Values, Items };
    Sequence(Kind what_kind, std::vector<Value> values);

    Kind kind;
    std::vector<Value> items;
    std::vector<std::string> names;  ///< of a named tuple's members
    mutable bool is_spent = false;   ///< of an iterator
    std::size_t weight = 0;
    int depth = 0;
};

/// In order of insertion. Keys compare as in Python: 1, 1.0 and true are one key.
struct Map {
    void set(Value key, Value value);
    const Value* find(const Value& key) const;
    const Value* find(std::string_view key) const;

    std::vector<std::pair<Value, Value>> entries;
    std::size_t weight = 16;
    int depth = 1;

private:
    std::optional<std::size_t> index_of(const Value& key) const;
    std::unordered_map<std::string, std::size_t> index_;  ///< of keys that are text
    std::vector<std::size_t> other_keys_;
};

/// Something with attributes or a call: functions, macros, methods, loops, namespaces.
class Object {
public:
    virtual ~Object() = default;
    virtual std::string type_name() const = 0;
    virtual std::string repr() const;
    virtual std::optional<Value> attribute(std::string_view) const { return std::nullopt; }
    virtual bool is_callable() const { return false; }
    virtual Value call(Evaluator&, const Arguments&);
};

struct Arguments {
    std::vector<Value> positional;
    std::vector<std::pair<std::string, Value>> named;
};

}  // namespace espalier::jinja
