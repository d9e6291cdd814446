#include "tokenizer/jinja/filters.h"

namespace espalier::jinja {

Filter find_filter(std::string_view name) {
    for (const auto rows :
         {text_filters(), number_filters(), sequence_filters(), selection_filters()}) {
        for (const FilterRow& row : rows) {
            if (row.name == name) return row.filter;
        }
    }
    return nullptr;
}

}  // namespace espalier::jinja
