#pragma once

#include <optional>
#include <vector>

#include "tokenizer/json_part.h"
#include "tokenizer/tokenizer.h"

namespace espalier {

/// Adds the special tokens that a model expects around its text.
class PostProcessor {
public:
    /// Adds nothing.
    PostProcessor() = default;
    /// TemplateProcessing, RobertaProcessing, BertProcessing, ByteLevel (ids unchanged), Sequence.
    /// @throws Error FileUnsupported for any other
    explicit PostProcessor(const JsonPart& json);

    std::vector<TokenId> apply(std::vector<TokenId> ids) const;

private:
    /// Token ids in their order; nothing where the text goes.
    using Template = std::vector<std::optional<TokenId>>;
    void read(const JsonPart& json, int depth);
    static Template read_template(const JsonPart& json);
    static Template read_pair(const JsonPart& json);

    std::vector<Template> templates_;  ///< each around the result of the one before
};

}  // namespace espalier
