#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "tokenizer/json_part.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/vocabulary.h"

namespace espalier {

/// What a model needs to write to while it works; one a thread.
class ModelScratch {
public:
    virtual ~ModelScratch() = default;
};

/// Turns one piece of text into ids.
class TokenModel {
public:
    virtual ~TokenModel() = default;
    virtual std::unique_ptr<ModelScratch> make_scratch() const = 0;
    /// Appends the ids of `piece`. @param scratch from make_scratch() of this model
    virtual void encode(std::string_view piece, ModelScratch& scratch,
                        std::vector<TokenId>& ids) const = 0;
    virtual const Vocabulary& vocabulary() const noexcept = 0;
};

/// BPE or Unigram. @throws Error FileMalformed or FileUnsupported, naming the part
std::unique_ptr<const TokenModel> make_model(const JsonPart& json);

}  // namespace espalier
