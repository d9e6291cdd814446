#pragma once

#include <ctime>
#include <string>
#include <string_view>
#include <unordered_map>

#include "tokenizer/jinja/evaluator.h"

namespace espalier::jinja {

/// What `{% set ns.x = … %}` writes to: the one thing in a template that changes.
class Namespace : public Object {
public:
    std::string type_name() const override { return "Namespace"; }
    std::optional<Value> attribute(std::string_view name) const override;
    void set(const std::string& name, Value value);

private:
    std::unordered_map<std::string, Value> values_;
};

/// Makes range, dict, namespace, raise_exception and strftime_now known.
void define_globals(Evaluator& evaluator, Scope& scope);

/// %Y %y %m %d %j %b %B %a %A %H %I %M %S %p and %%, in English.
std::string format_time(const std::tm& time, std::string_view format);

}  // namespace espalier::jinja
