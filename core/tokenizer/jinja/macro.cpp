#include "tokenizer/jinja/macro.h"

#include <fmt/format.h>
#include <memory>
#include <utility>

#include "tokenizer/jinja/evaluator.h"

namespace espalier::jinja {

Macro::Macro(std::string name, const Signature& signature, const Block& body, Scope& around,
             Run run)
    : name_(std::move(name)),
      signature_(signature),
      body_(body),
      around_(around),
      run_(std::move(run)) {
    around_.capture();
}

std::optional<Value> Macro::attribute(std::string_view name) const {
    if (name == "name") return Value(name_);
    if (name == "catch_varargs") return Value(signature_.takes_varargs);
    if (name == "catch_kwargs") return Value(signature_.takes_kwargs);
    if (name == "caller") return Value(signature_.takes_caller);
    if (name != "arguments") return std::nullopt;
    std::vector<Value> names;
    for (const auto& parameter : signature_.parameters) names.emplace_back(parameter.name);
    return Value::tuple(std::move(names));
}

void Macro::bind_rest(const Arguments& arguments, const std::vector<bool>& is_used,
                      Scope& scope) const {
    const std::size_t count = signature_.parameters.size();
    std::vector<Value> more;
    for (std::size_t i = count; i < arguments.positional.size(); ++i) {
        more.push_back(arguments.positional[i]);
    }
    if (!more.empty() && !signature_.takes_varargs) {
        throw Fault(FaultKind::Type,
                    fmt::format("macro '{}' takes not more than {} argument(s)", name_, count));
    }
    Map named;
    Value caller = Value::undefined("No caller defined");
    for (std::size_t i = 0; i < arguments.named.size(); ++i) {
        const auto& [name, value] = arguments.named[i];
        if (is_used[i]) continue;
        if (name == "caller" && signature_.takes_caller) {
            caller = value;
        } else if (signature_.takes_kwargs) {
            named.set(name, value);
        } else {
            throw Fault(FaultKind::Type,
                        fmt::format("macro '{}' takes no keyword argument '{}'", name_, name));
        }
    }
    if (signature_.takes_caller) scope.set("caller", std::move(caller));
    if (signature_.takes_varargs) scope.set("varargs", Value::tuple(std::move(more)));
    if (signature_.takes_kwargs) scope.set("kwargs", std::move(named));
}

void Macro::bind(Evaluator& evaluator, const Arguments& arguments, Scope& scope) const {
    std::vector<bool> is_used(arguments.named.size());
    for (std::size_t i = 0; i < signature_.parameters.size(); ++i) {
        const auto& parameter = signature_.parameters[i];
        const Value* given = i < arguments.positional.size() ? &arguments.positional[i] : nullptr;
        for (std::size_t n = 0; n < arguments.named.size() && given == nullptr; ++n) {
            if (arguments.named[n].first != parameter.name) continue;
            given = &arguments.named[n].second;
            is_used[n] = true;
        }
        if (given != nullptr) {
            scope.set(parameter.name, *given);
        } else if (parameter.fallback) {
            scope.set(parameter.name, evaluator.evaluate(*parameter.fallback, scope));
        } else {
            scope.set(parameter.name, Value::undefined(fmt::format(
                                          "parameter '{}' was not provided", parameter.name)));
        }
    }
    bind_rest(arguments, is_used, scope);
}

Value Macro::call(Evaluator& evaluator, const Arguments& arguments) {
    auto scope = std::make_unique<Scope>(&around_);
    bind(evaluator, arguments, *scope);
    std::string text = run_(body_, *scope);
    if (scope->is_captured()) evaluator.own(std::move(scope));
    return text;
}

}  // namespace espalier::jinja
