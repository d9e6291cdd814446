#pragma once

#include <string_view>

#include "tokenizer/jinja/ast.h"

namespace espalier::jinja {

/// Compiles a template. @throws SyntaxFault, also for unknown tags, filters and tests
Block parse_template(std::string_view source);

}  // namespace espalier::jinja
