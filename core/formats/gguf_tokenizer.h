#pragma once

#include <string>

#include "base/json.h"
#include "formats/gguf_value.h"

namespace espalier {

/// What a hub folder says about its tokenizer.
struct TokenizerFiles {
    Json tokenizer;         ///< tokenizer.json
    Json config;            ///< tokenizer_config.json, or null
    std::string chat_template;  ///< chat_template.jinja, or the config's, or empty
};

/// Adds the `tokenizer.*` keys of a GGUF file for a byte-level BPE tokenizer: tokens, types, merges,
/// special ids, the pre-tokenizer's name by its split pattern, the chat template.
/// @param vocab_size rows of the embedding; ids without a token become `[PADn]`, type unused.
/// @throws Error GgufInexpressible for a tokenizer kind or split pattern that llama.cpp does not name.
void add_gguf_tokenizer(GgufMetadata& metadata, const TokenizerFiles& files, std::int64_t vocab_size);

/// The inverse: a tokenizer.json with the same ids, so that the project has one tokenizer only.
TokenizerFiles tokenizer_from_gguf(const GgufMetadata& metadata);

}  // namespace espalier
