#include "tokenizer/jinja/evaluator.h"

#include <fmt/format.h>
#include <utility>

#include "tokenizer/jinja/filters.h"
#include "tokenizer/jinja/methods.h"
#include "tokenizer/jinja/operators.h"
#include "tokenizer/jinja/repr.h"
#include "tokenizer/jinja/tests.h"
#include "tokenizer/jinja/text.h"

namespace espalier::jinja {
namespace {

constexpr std::size_t kMaxSteps = 10'000'000;
constexpr int kMaxDepth = 1200;
constexpr std::size_t kWeightPerStep = 1024;

/// Work on a value, in steps.
std::size_t steps_for(const Value& value) { return value.weight() / kWeightPerStep; }

bool compare(const std::string& op, const Value& a, const Value& b) {
    if (op == "==") return equal(a, b);
    if (op == "!=") return !equal(a, b);
    if (op == "in") return contains(b, a);
    if (op == "not in") return !contains(b, a);
    if (op == "<") return less(a, b);
    if (op == ">") return less(b, a);
    return op == "<=" ? !less(b, a) : !less(a, b);
}

bool is_private(std::string_view name) { return name.starts_with("__") && name.ends_with("__"); }

Value no_attribute(const Value& value, std::string_view name) {
    const std::string type = value.is_none() ? "None" : value.type_name() + " object";
    return Value::undefined(fmt::format("'{}' has no attribute '{}'", type, name));
}

/// Of a list, tuple, range or text.
const Value* element(const Value& value, const Value& key, Value& storage) {
    const auto index = key.integer();
    const bool is_indexable =
        value.list_or_tuple() != nullptr || value.range() != nullptr || value.text() != nullptr;
    if (!index || !is_indexable) return nullptr;
    const std::int64_t size = length(value);
    const std::int64_t place = *index < 0 ? *index + size : *index;
    if (place < 0 || place >= size) return nullptr;
    if (const Sequence* sequence = value.list_or_tuple()) {
        return &sequence->items[static_cast<std::size_t>(place)];
    }
    if (const Range* range = value.range()) {
        storage = range->at(place);
    } else {
        const std::string_view text = *value.text();
        const std::size_t start = first_characters(text, place).size();
        storage = std::string(first_characters(text.substr(start), 1));
    }
    return &storage;
}

/// A method taken from its object, as in `x.strip is callable`.
class BoundMethod : public Object {
public:
    BoundMethod(Value self, Method method) : self_(std::move(self)), method_(method) {}
    std::string type_name() const override { return "builtin_function_or_method"; }
    bool is_callable() const override { return true; }
    Value call(Evaluator& evaluator, const Arguments& arguments) override {
        return method_(evaluator, self_, arguments);
    }

private:
    Value self_;
    Method method_;
};

}  // namespace

/// One function a kind of expression.
struct Evaluator::Visitor {
    Evaluator& evaluator;
    Scope& scope;
    Position position;

    Value eval(const ExpressionPtr& expression) const {
        Value value = evaluator.evaluate(*expression, scope);
        evaluator.set_position(position);  // what fails next fails here
        return value;
    }
    Arguments eval(const CallArguments& arguments) const {
        Arguments values = evaluator.evaluate_arguments(arguments, scope);
        evaluator.set_position(position);
        return values;
    }
    Value eval_or_none(const ExpressionPtr& expression) const {
        return expression ? eval(expression) : Value();
    }

    Value operator()(const Literal& literal) const { return literal.value; }

    Value operator()(const Name& name) const {
        const Value* found = scope.find(name.name);
        if (found != nullptr) return *found;
        return Value::undefined(fmt::format("'{}' is undefined", name.name));
    }

    Value operator()(const ListDisplay& list) const {
        std::vector<Value> items;
        for (const ExpressionPtr& item : list.items) items.push_back(eval(item));
        return list.is_tuple ? Value::tuple(std::move(items)) : Value::list(std::move(items));
    }

    Value operator()(const MapDisplay& display) const {
        Map map;
        for (const auto& [key, value] : display.entries) {
            Value key_value = eval(key);
            map.set(std::move(key_value), eval(value));
        }
        return map;
    }

    Value operator()(const Unary& unary) const {
        const Value operand = eval(unary.operand);
        if (unary.op == "not") return !operand.is_true();
        if (unary.op == "-") return negate(operand);
        return negate(negate(operand));
    }

    Value operator()(const Binary& binary) const {
        Value left = eval(binary.left);
        if (binary.op == "and") return left.is_true() ? eval(binary.right) : left;
        if (binary.op == "or") return left.is_true() ? left : eval(binary.right);
        const Value right = eval(binary.right);
        evaluator.charge(steps_for(left) + steps_for(right));
        return arithmetic(binary.op, left, right);
    }

    Value operator()(const Concatenation& concatenation) const {
        std::string text;
        for (const ExpressionPtr& part : concatenation.parts) text += to_text(eval(part));
        evaluator.charge(text.size() / kWeightPerStep);
        return text;
    }

    Value operator()(const Comparison& comparison) const {
        Value left = eval(comparison.first);
        for (const auto& [op, expression] : comparison.rest) {
            Value right = eval(expression);
            evaluator.charge(steps_for(left) + steps_for(right));
            if (!compare(op, left, right)) return false;
            left = std::move(right);
        }
        return true;
    }

    Value operator()(const Conditional& conditional) const {
        if (eval(conditional.condition).is_true()) return eval(conditional.then);
        if (conditional.otherwise) return eval(conditional.otherwise);
        return Value::undefined(
            fmt::format("the inline if-expression on line {} evaluated to false and no else "
                        "section was defined.",
                        evaluator.position().line));
    }

    Value operator()(const Attribute& attribute) const {
        return evaluator.attribute(eval(attribute.object), attribute.name);
    }

    Value operator()(const Subscript& subscript) const {
        const Value object = eval(subscript.object);
        return evaluator.item(object, eval(subscript.index));
    }

    Value operator()(const Slice& expression) const {
        const Value object = eval(expression.object);
        require_defined(object);
        const Value start = eval_or_none(expression.start);
        const Value stop = eval_or_none(expression.stop);
        evaluator.charge(steps_for(object));
        return slice(object, start, stop, eval_or_none(expression.step));
    }

    Value operator()(const Call& call) const {
        if (const auto* attribute = std::get_if<Attribute>(&call.callee->node)) {
            const Value object = eval(attribute->object);
            if (const Method method = find_method(object, attribute->name)) {
                evaluator.charge(steps_for(object));
                return method(evaluator, object, eval(call.arguments));
            }
            return finish(evaluator.attribute(object, attribute->name), call);
        }
        return finish(eval(call.callee), call);
    }

    Value finish(const Value& callee, const Call& call) const {
        return evaluator.call(callee, eval(call.arguments));
    }

    Value operator()(const FilterCall& call) const {
        const Value input = eval(call.input);
        return evaluator.apply_filter(call.name, input, eval(call.arguments));
    }

    Value operator()(const TestCall& call) const {
        const Value input = eval(call.input);
        return evaluator.apply_test(call.name, input, eval(call.arguments));
    }
};

Evaluator::Depth::Depth(Evaluator& evaluator) : evaluator_(evaluator) {
    if (evaluator_.depth_ >= kMaxDepth) {
        throw Fault(FaultKind::Limit, "the template calls itself too deeply");
    }
    ++evaluator_.depth_;
}

void Evaluator::charge(std::size_t steps) {
    steps_ += steps;
    if (steps_ > kMaxSteps) throw Fault(FaultKind::Limit, "the template takes too many steps");
}

Value Evaluator::evaluate(const Expression& expression, Scope& scope) {
    const Depth depth(*this);
    charge(1);
    position_ = expression.position;
    return std::visit(Visitor{*this, scope, position_}, expression.node);
}

Value Evaluator::evaluate_filter(const Expression& expression, const Value& input, Scope& scope) {
    const Depth depth(*this);
    const auto& call = std::get<FilterCall>(expression.node);
    const Value inner = call.input ? evaluate_filter(*call.input, input, scope) : input;
    position_ = expression.position;
    return apply_filter(call.name, inner, evaluate_arguments(call.arguments, scope));
}

Arguments Evaluator::evaluate_arguments(const CallArguments& arguments, Scope& scope) {
    Arguments result;
    for (const ExpressionPtr& value : arguments.positional) {
        result.positional.push_back(evaluate(*value, scope));
    }
    if (arguments.more_positional) {
        for (Value& value : iterate(evaluate(*arguments.more_positional, scope))) {
            result.positional.push_back(std::move(value));
        }
    }
    for (const auto& [name, value] : arguments.named) {
        result.named.emplace_back(name, evaluate(*value, scope));
    }
    if (arguments.more_named) {
        const Value more = evaluate(*arguments.more_named, scope);
        if (more.map() == nullptr)
            throw Fault(FaultKind::Type, "argument after ** must be a mapping");
        for (const auto& [name, value] : more.map()->entries) {
            result.named.emplace_back(to_text(name), value);
        }
    }
    return result;
}

Value Evaluator::attribute(const Value& value, std::string_view name) {
    require_defined(value);
    if (is_private(name)) {
        return Value::undefined(fmt::format("access to attribute '{}' of '{}' object is unsafe.",
                                            name, value.type_name()),
                                FaultKind::Security);
    }
    if (const Method method = find_method(value, name)) {
        return own(std::make_unique<BoundMethod>(value, method));
    }
    if (is_changing_method(value, name)) {
        return Value::undefined(fmt::format("access to attribute '{}' of '{}' object is unsafe.",
                                            name, value.type_name()),
                                FaultKind::Security);
    }
    if (const Object* object = value.object()) {
        if (auto found = object->attribute(name)) return *std::move(found);
    }
    if (const Map* map = value.map()) {
        if (const Value* found = map->find(name)) return *found;
    }
    if (const Sequence* sequence = value.sequence()) {
        for (std::size_t i = 0; i < sequence->names.size(); ++i) {
            if (sequence->names[i] == name) return sequence->items[i];
        }
    }
    return no_attribute(value, name);
}

Value Evaluator::item(const Value& value, const Value& key) {
    require_defined(value);
    if (const Map* map = value.map()) {
        if (const Value* found = map->find(key)) return *found;
    }
    Value storage;
    charge(value.text() != nullptr ? steps_for(value) : 0);
    if (const Value* found = element(value, key, storage)) return *found;
    if (key.text() != nullptr) return attribute(value, *key.text());
    if (value.list_or_tuple() != nullptr) {
        return Value::undefined(
            fmt::format("{} object has no element {}", value.type_name(), repr(key)));
    }
    return no_attribute(value, to_text(key));
}

Value Evaluator::call(const Value& callee, const Arguments& arguments) {
    require_defined(callee);
    Object* object = callee.object();
    if (object == nullptr) {
        throw Fault(FaultKind::Type,
                    fmt::format("'{}' object is not callable", callee.type_name()));
    }
    const Depth depth(*this);
    return object->call(*this, arguments);
}

Value Evaluator::apply_filter(std::string_view name, const Value& input,
                              const Arguments& arguments) {
    const Filter filter = find_filter(name);
    if (filter == nullptr) {
        throw Fault(FaultKind::Syntax, fmt::format("No filter named '{}'.", name));
    }
    const Depth depth(*this);
    charge(1 + steps_for(input));
    Value result = filter(*this, input, arguments);
    charge(steps_for(result));
    return result;
}

bool Evaluator::apply_test(std::string_view name, const Value& input, const Arguments& arguments) {
    const Test test = find_test(name);
    if (test == nullptr) throw Fault(FaultKind::Syntax, fmt::format("No test named '{}'.", name));
    charge(1 + steps_for(input));
    return test(*this, input, arguments);
}

}  // namespace espalier::jinja
