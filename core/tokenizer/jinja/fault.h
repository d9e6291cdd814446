#pragma once

#include <stdexcept>
#include <string>

namespace espalier::jinja {

/// What went wrong in a template; the kinds that Jinja2's users tell apart.
enum class FaultKind {
    Raised,     ///< the template called raise_exception(…)
    Undefined,  ///< something that does not exist was used
    Type,       ///< an operation on the wrong types, or with wrong arguments
    Syntax,     ///< the template cannot be compiled
    Security,   ///< forbidden: private attributes, changing a value
    Limit,      ///< too many steps, too much output, too deep
};

/// Thrown inside the interpreter; the caller adds the position and makes an Error of it.
class Fault : public std::runtime_error {
public:
    Fault(FaultKind what_kind, const std::string& message)
        : std::runtime_error(message), kind(what_kind) {}
    FaultKind kind;
};

}  // namespace espalier::jinja
