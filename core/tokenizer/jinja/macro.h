#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "tokenizer/jinja/ast.h"
#include "tokenizer/jinja/scope.h"

namespace espalier::jinja {

/// A {% macro %}, or the body of a {% call %}. It sees the variables around its definition.
class Macro : public Object {
public:
    using Run = std::function<std::string(const Block&, Scope&)>;

    /// @param body run in a scope inside `around`, which must stay
    Macro(std::string name, const Signature& signature, const Block& body, Scope& around, Run run);

    std::string type_name() const override { return "Macro"; }
    std::optional<Value> attribute(std::string_view name) const override;
    bool is_callable() const override { return true; }
    Value call(Evaluator& evaluator, const Arguments& arguments) override;

private:
    void bind(Evaluator& evaluator, const Arguments& arguments, Scope& scope) const;
    void bind_rest(const Arguments& arguments, const std::vector<bool>& is_used,
                   Scope& scope) const;

    std::string name_;
    const Signature& signature_;
    const Block& body_;
    Scope& around_;
    Run run_;
};

}  // namespace espalier::jinja
