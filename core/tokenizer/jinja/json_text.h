#pragma once

#include <optional>
#include <string>

#include "tokenizer/jinja/value.h"

namespace espalier::jinja {

struct JsonTextOptions {
    std::optional<std::string> indent;  ///< one level of it; nothing = all on one line
    std::string item_separator = ", ";
    std::string key_separator = ": ";
    bool sorts_keys = false;
    bool escapes_non_ascii = false;
};

/// Python's json.dumps. @throws Fault Type for what JSON cannot say
std::string json_text(const Value& value, const JsonTextOptions& options);

}  // namespace espalier::jinja
