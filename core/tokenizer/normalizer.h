#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "tokenizer/json_part.h"
#include "tokenizer/regex.h"

namespace espalier {

/// Rewrites a stretch of text before it is cut.
class Normalizer {
public:
    virtual ~Normalizer() = default;
    virtual void apply(std::string& text, RegexScratch& scratch) const = 0;
};

/// Sequence, NFC, NFD, NFKC, NFKD, Lowercase, Strip, Prepend, Replace.
/// @throws Error FileUnsupported for any other
std::unique_ptr<const Normalizer> make_normalizer(const JsonPart& json);

}  // namespace espalier
