#include "tokenizer/jinja/bound_arguments.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "tokenizer/jinja/operators.h"
#include "tokenizer/jinja/repr.h"

namespace espalier::jinja {

BoundArguments::BoundArguments(std::string_view callee, const Arguments& arguments,
                               std::initializer_list<std::string_view> parameters,
                               std::size_t num_required)
    : callee_(callee), values_(parameters.size()) {
    const auto fail = [this](const std::string& what) {
        throw Fault(FaultKind::Type, fmt::format("{}() {}", callee_, what));
    };
    if (arguments.positional.size() > parameters.size()) {
        fail(fmt::format("takes at most {} arguments, {} are given", parameters.size(),
                         arguments.positional.size()));
    }
    for (std::size_t i = 0; i < arguments.positional.size(); ++i) {
        values_[i] = &arguments.positional[i];
    }
    for (const auto& [name, value] : arguments.named) {
        const auto found = std::find(parameters.begin(), parameters.end(), name);
        if (found == parameters.end()) {
            fail(fmt::format("got an unexpected keyword argument '{}'", name));
        }
        const Value*& slot = values_[static_cast<std::size_t>(found - parameters.begin())];
        if (slot != nullptr) fail(fmt::format("got multiple values for argument '{}'", name));
        slot = &value;
    }
    for (std::size_t i = 0; i < num_required; ++i) {
        if (values_[i] == nullptr) {
            fail(fmt::format("missing the argument '{}'", parameters.begin()[i]));
        }
    }
}

Value BoundArguments::value(std::size_t index, Value fallback) const {
    return values_[index] == nullptr ? std::move(fallback) : *values_[index];
}

std::int64_t BoundArguments::integer(std::size_t index, std::int64_t fallback) const {
    if (values_[index] == nullptr || values_[index]->is_none()) return fallback;
    require_defined(*values_[index]);
    if (const auto number = values_[index]->integer()) return *number;
    throw Fault(FaultKind::Type, fmt::format("{}() wants an integer, not '{}'", callee_,
                                             values_[index]->type_name()));
}

bool BoundArguments::truth(std::size_t index, bool fallback) const {
    return values_[index] == nullptr ? fallback : values_[index]->is_true();
}

std::string BoundArguments::text(std::size_t index, std::string_view fallback) const {
    if (values_[index] == nullptr || values_[index]->is_none()) return std::string(fallback);
    return to_text(*values_[index]);
}

std::string BoundArguments::string(std::size_t index, std::string_view fallback) const {
    if (values_[index] == nullptr || values_[index]->is_none()) return std::string(fallback);
    require_defined(*values_[index]);
    if (const std::string* text = values_[index]->text()) return *text;
    throw Fault(FaultKind::Type,
                fmt::format("{}() wants a str, not '{}'", callee_, values_[index]->type_name()));
}

}  // namespace espalier::jinja
