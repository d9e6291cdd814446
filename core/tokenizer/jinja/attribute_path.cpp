#include "tokenizer/jinja/attribute_path.h"

#include <algorithm>

#include "tokenizer/jinja/evaluator.h"
#include "tokenizer/jinja/repr.h"
#include "tokenizer/jinja/text.h"

namespace espalier::jinja {

AttributePath::AttributePath(const Value& attribute) {
    if (attribute.is_none()) return;
    if (attribute.text() == nullptr) {
        keys_.push_back(attribute);
        return;
    }
    for (std::string& part : split_at(*attribute.text(), ".", -1)) {
        const bool is_index =
            !part.empty() && part.size() < 10 &&
            std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; });
        keys_.push_back(is_index ? Value(std::int64_t{std::stol(part)}) : Value(std::move(part)));
    }
}

Value AttributePath::of(Evaluator& evaluator, const Value& value) const {
    Value result = value;
    for (const Value& key : keys_) result = evaluator.item(result, key);
    return result;
}

Value AttributePath::key_of(Evaluator& evaluator, const Value& value, bool ignores_case) const {
    Value key = of(evaluator, value);
    if (ignores_case && key.text() != nullptr) return to_lower(*key.text());
    return key;
}

std::vector<AttributePath> attribute_paths(const Value& attributes) {
    std::vector<AttributePath> paths;
    if (attributes.text() == nullptr) {
        paths.emplace_back(attributes);
        return paths;
    }
    for (std::string& part : split_at(*attributes.text(), ",", -1))
        paths.emplace_back(Value(std::move(part)));
    return paths;
}

}  // namespace espalier::jinja
