#pragma once

#include <span>
#include <string_view>

#include "tokenizer/jinja/value.h"

namespace espalier::jinja {

using Filter = Value (*)(Evaluator&, const Value& input, const Arguments&);

struct FilterRow {
    std::string_view name;
    Filter filter;
};

/// Null if there is none of that name.
Filter find_filter(std::string_view name);

std::span<const FilterRow> text_filters();
std::span<const FilterRow> number_filters();
std::span<const FilterRow> sequence_filters();
std::span<const FilterRow> selection_filters();

}  // namespace espalier::jinja
