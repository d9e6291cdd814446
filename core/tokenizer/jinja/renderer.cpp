#include "tokenizer/jinja/renderer.h"

#include <fmt/format.h>
#include <utility>

#include "tokenizer/jinja/globals.h"
#include "tokenizer/jinja/loop.h"
#include "tokenizer/jinja/macro.h"
#include "tokenizer/jinja/operators.h"
#include "tokenizer/jinja/repr.h"

namespace espalier::jinja {
namespace {

constexpr std::size_t kMaxOutputBytes = 64U << 20U;

}  // namespace

/// Lives as long as its block, or, if a macro needs it, as the evaluator.
class Renderer::LocalScope {
public:
    LocalScope(Evaluator& evaluator, Scope& outer)
        : evaluator_(evaluator), scope_(std::make_unique<Scope>(&outer)) {}
    ~LocalScope() {
        if (scope_->is_captured()) evaluator_.own(std::move(scope_));
    }
    LocalScope(const LocalScope&) = delete;
    LocalScope& operator=(const LocalScope&) = delete;
    Scope& operator*() const noexcept { return *scope_; }

private:
    Evaluator& evaluator_;
    std::unique_ptr<Scope> scope_;
};

/// One function a kind of statement.
struct Renderer::Visitor {
    Renderer& renderer;
    Scope& scope;
    std::string& out;

    Value eval(const ExpressionPtr& expression) const {
        return renderer.evaluator_.evaluate(*expression, scope);
    }

    Flow operator()(const Data& data) const {
        renderer.append(out, data.text);
        return Flow::Normal;
    }

    Flow operator()(const Print& print) const {
        renderer.append(out, to_text(eval(print.expression)));
        return Flow::Normal;
    }

    Flow operator()(const If& statement) const {
        for (const auto& [condition, block] : statement.branches) {
            if (eval(condition).is_true()) return renderer.run(block, scope, out);
        }
        return renderer.run(statement.otherwise, scope, out);
    }

    Flow operator()(const For& loop) const {
        return renderer.run_for(loop, eval(loop.iterable), scope, out, 0);
    }

    Flow operator()(const Set& set) const {
        renderer.assign(set.target, eval(set.value), scope);
        return Flow::Normal;
    }

    Flow operator()(const SetBlock& set) const {
        renderer.assign(set.target, filtered(set.filter, set.body), scope);
        return Flow::Normal;
    }

    Value filtered(const ExpressionPtr& filter, const Block& body) const {
        Value text = renderer.capture(body, scope);
        return filter ? renderer.evaluator_.evaluate_filter(*filter, text, scope) : text;
    }

    Flow operator()(const MacroDefinition& macro) const {
        scope.set(macro.name, renderer.make_macro(macro.name, macro.signature, macro.body, scope));
        return Flow::Normal;
    }

    Flow operator()(const CallBlock& block) const {
        const auto& call = std::get<Call>(block.call->node);
        const Value callee = eval(call.callee);
        Arguments arguments = renderer.evaluator_.evaluate_arguments(call.arguments, scope);
        arguments.named.emplace_back(
            "caller", renderer.make_macro("caller", block.signature, block.body, scope));
        renderer.append(out, to_text(renderer.evaluator_.call(callee, arguments)));
        return Flow::Normal;
    }

    Flow operator()(const FilterBlock& block) const {
        renderer.append(out, to_text(filtered(block.filter, block.body)));
        return Flow::Normal;
    }

    Flow operator()(const With& with) const {
        LocalScope local(renderer.evaluator_, scope);
        for (const auto& [target, expression] : with.assignments) {
            renderer.assign(target, eval(expression), *local);
        }
        return renderer.run(with.body, *local, out);
    }

    Flow operator()(const Generation& generation) const {
        const std::size_t begin = out.size();
        LocalScope local(renderer.evaluator_, scope);
        const Flow flow = renderer.run(generation.body, *local, out);
        if (&out == renderer.main_output_) renderer.spans_.push_back({begin, out.size()});
        return flow;
    }

    Flow operator()(const Scoped& block) const {
        LocalScope local(renderer.evaluator_, scope);
        return renderer.run(block.body, *local, out);
    }

    Flow operator()(const Break&) const { return Flow::Break; }
    Flow operator()(const Continue&) const { return Flow::Continue; }

    Flow operator()(const Import&) const {
        throw Fault(FaultKind::Type, "no loader for this environment specified");
    }
};

std::string Renderer::render(const Block& block, Scope& variables) {
    std::string out;
    spans_.clear();
    main_output_ = &out;
    LocalScope top(evaluator_, variables);
    run(block, *top, out);
    main_output_ = nullptr;
    return out;
}

Renderer::Flow Renderer::run(const Block& block, Scope& scope, std::string& out) {
    const Evaluator::Depth depth(evaluator_);
    for (const Statement& statement : block) {
        evaluator_.charge(1);
        evaluator_.set_position(statement.position);
        const Flow flow = std::visit(Visitor{*this, scope, out}, statement.node);
        if (flow != Flow::Normal) return flow;
    }
    return Flow::Normal;
}

std::string Renderer::capture(const Block& block, Scope& scope) {
    std::string out;
    LocalScope local(evaluator_, scope);
    run(block, *local, out);
    return out;
}

std::vector<Value> Renderer::kept_items(const For& loop, const Value& iterable, Scope& scope) {
    std::vector<Value> items = iterate(iterable);
    evaluator_.charge(items.size());
    if (!loop.condition) return items;
    std::vector<Value> kept;
    for (Value& item : items) {
        LocalScope local(evaluator_, scope);
        assign(loop.target, item, *local);
        if (evaluator_.evaluate(*loop.condition, *local).is_true()) kept.push_back(std::move(item));
    }
    return kept;
}

Renderer::Flow Renderer::run_for(const For& loop, const Value& iterable, Scope& scope,
                                 std::string& out, int depth) {
    std::function<std::string(const Value&)> recurse;
    if (loop.is_recursive) {
        recurse = [this, &loop, &scope, depth](const Value& items) {
            std::string inner;
            run_for(loop, items, scope, inner, depth + 1);
            return inner;
        };
    }
    Loop& state = evaluator_.own(
        std::make_unique<Loop>(kept_items(loop, iterable, scope), depth, std::move(recurse)));
    bool is_unfinished = true;  // Jinja2 takes the else part unless some turn reached its end
    for (std::size_t i = 0; i < state.size(); ++i) {
        evaluator_.charge(5);  // a scope of its own
        state.move_to(i);
        LocalScope local(evaluator_, scope);
        (*local).set("loop", state);
        assign(loop.target, state.item(i), *local);
        const Flow flow = run(loop.body, *local, out);
        if (flow == Flow::Break) break;
        if (flow == Flow::Normal) is_unfinished = false;
    }
    state.finish();
    if (!is_unfinished) return Flow::Normal;
    LocalScope local(evaluator_, scope);
    return run(loop.otherwise, *local, out);
}

void Renderer::assign(const Target& target, Value value, Scope& scope) {
    if (!target.members.empty()) {
        if (!is_iterable(value)) {
            throw Fault(FaultKind::Type,
                        fmt::format("cannot unpack non-iterable {} object", value.type_name()));
        }
        std::vector<Value> items = iterate(value);
        if (items.size() != target.members.size()) {
            throw Fault(FaultKind::Type, fmt::format("cannot unpack {} values into {} names",
                                                     items.size(), target.members.size()));
        }
        for (std::size_t i = 0; i < items.size(); ++i) {
            assign(target.members[i], std::move(items[i]), scope);
        }
        return;
    }
    if (target.attribute.empty()) return scope.set(target.name, std::move(value));
    const Value* found = scope.find(target.name);
    auto* space = found == nullptr ? nullptr : dynamic_cast<Namespace*>(found->object());
    if (space == nullptr) {
        throw Fault(FaultKind::Raised, "cannot assign attribute on non-namespace object");
    }
    space->set(target.attribute, std::move(value));
}

void Renderer::append(std::string& out, const std::string& text) {
    if (text.size() > kMaxOutputBytes - out.size()) {
        throw Fault(FaultKind::Limit, "the template writes too much");
    }
    evaluator_.charge(text.size() / 1024);
    out += text;
}

Value Renderer::make_macro(std::string name, const Signature& signature, const Block& body,
                           Scope& scope) {
    const auto run_body = [this](const Block& block, Scope& inner) {
        std::string out;
        run(block, inner, out);
        return out;
    };
    return evaluator_.own(
        std::make_unique<Macro>(std::move(name), signature, body, scope, run_body));
}

}  // namespace espalier::jinja
