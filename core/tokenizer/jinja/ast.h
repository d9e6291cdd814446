#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "tokenizer/jinja/position.h"
#include "tokenizer/jinja/value.h"

namespace espalier::jinja {

struct Expression;
struct Statement;
using ExpressionPtr = std::unique_ptr<const Expression>;
using Block = std::vector<Statement>;

struct CallArguments {
    std::vector<ExpressionPtr> positional;
    std::vector<std::pair<std::string, ExpressionPtr>> named;
    ExpressionPtr more_positional;  ///< *x; may be null
    ExpressionPtr more_named;       ///< **x; may be null
};

struct Literal {
    Value value;
};
struct Name {
    std::string name;
};
struct ListDisplay {
    std::vector<ExpressionPtr> items;
    bool is_tuple = false;
};
struct MapDisplay {
    std::vector<std::pair<ExpressionPtr, ExpressionPtr>> entries;
};
struct Unary {
    std::string op;  ///< "-", "+", "not"
    ExpressionPtr operand;
};
struct Binary {
    std::string op;  ///< arithmetic, "and", "or"
    ExpressionPtr left;
    ExpressionPtr right;
};
struct Concatenation {
    std::vector<ExpressionPtr> parts;
};
struct Comparison {
    ExpressionPtr first;
    std::vector<std::pair<std::string, ExpressionPtr>> rest;  ///< "in" and "not in" too
};
struct Conditional {
    ExpressionPtr condition;
    ExpressionPtr then;
    ExpressionPtr otherwise;  ///< may be null
};
struct Attribute {
    ExpressionPtr object;
    std::string name;
};
struct Subscript {
    ExpressionPtr object;
    ExpressionPtr index;
};
struct Slice {
    ExpressionPtr object;
    ExpressionPtr start;  ///< each may be null
    ExpressionPtr stop;
    ExpressionPtr step;
};
struct Call {
    ExpressionPtr callee;
    CallArguments arguments;
};
struct FilterCall {
    ExpressionPtr input;  ///< null in {% filter %} and {% set x | … %}: the block's text
    std::string name;
    CallArguments arguments;
};
struct TestCall {
    ExpressionPtr input;
    std::string name;
    CallArguments arguments;
};

struct Expression {
    using Node = std::variant<Literal, Name, ListDisplay, MapDisplay, Unary, Binary, Concatenation,
                              Comparison, Conditional, Attribute, Subscript, Slice, Call,
                              FilterCall, TestCall>;
    Position position;
    Node node;
};

/// What is assigned to: names, an attribute of a namespace, or several of them.
struct Target {
    std::vector<Target> members;  ///< of a tuple
    std::string name;
    std::string attribute;  ///< of the namespace `name`; may be empty
};

struct Signature {
    struct Parameter {
        std::string name;
        ExpressionPtr fallback;  ///< may be null
    };
    std::vector<Parameter> parameters;
    bool takes_varargs = false;
    bool takes_kwargs = false;
    bool takes_caller = false;
};

struct Data {
    std::string text;
};
struct Print {
    ExpressionPtr expression;
};
struct If {
    std::vector<std::pair<ExpressionPtr, Block>> branches;
    Block otherwise;
};
struct For {
    Target target;
    ExpressionPtr iterable;
    ExpressionPtr condition;  ///< may be null
    bool is_recursive = false;
    Block body;
    Block otherwise;
};
struct Set {
    Target target;
    ExpressionPtr value;
};
struct SetBlock {
    Target target;
    ExpressionPtr filter;  ///< may be null
    Block body;
};
struct MacroDefinition {
    std::string name;
    Signature signature;
    Block body;
};
struct CallBlock {
    ExpressionPtr call;
    Signature signature;
    Block body;
};
struct FilterBlock {
    ExpressionPtr filter;
    Block body;
};
struct With {
    std::vector<std::pair<Target, ExpressionPtr>> assignments;
    Block body;
};
struct Generation {
    Block body;
};
struct Scoped {  ///< {% block %}
    Block body;
};
struct Break {};
struct Continue {};
struct Import {};  ///< include, import, from, extends: there is no loader

struct Statement {
    using Node = std::variant<Data, Print, If, For, Set, SetBlock, MacroDefinition, CallBlock,
                              FilterBlock, With, Generation, Scoped, Break, Continue, Import>;
    Position position;
    Node node;
};

}  // namespace espalier::jinja
