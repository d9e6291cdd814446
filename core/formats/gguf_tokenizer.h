#pragma once

#include <cstdint>
#include <string>

#include "base/json.h"
#include "formats/gguf_value.h"

namespace espalier {

/// What a hub folder says about its tokenizer.
struct TokenizerFiles {
    Json tokenizer;             ///< tokenizer.json
    Json config;                ///< tokenizer_config.json, or null
    std::string chat_template;  ///< chat_template.jinja, or the config's, or empty
};

/// Adds the `tokenizer.*` keys of a GGUF file: tokens, types, merges or scores, special ids, the
/// pre-tokenizer's name by its split pattern, the chat template. Two kinds are known: byte-level
/// BPE ("gpt2") and the sentencepiece-like BPE with byte fallback of Llama 2 and Mixtral ("llama").
/// @param vocab_size rows of the embedding; ids without a token become `[PADn]`, type unused.
/// @throws Error GgufInexpressible for a tokenizer kind or split pattern that llama.cpp does not
/// name; FileMalformed if tokenizer.json is broken; ArchConfig if it has ids past the embedding
void add_gguf_tokenizer(GgufMetadata& metadata, const TokenizerFiles& files,
                        std::int64_t vocab_size);

/// Special ids that the tokenizer's own files left open, from a config.json: `bos_token_id`,
/// `eos_token_id` (further ones become `eot` and `eom`), `pad_token_id`. Call it after
/// add_gguf_tokenizer().
void add_gguf_special_ids(GgufMetadata& metadata, const Json& model_config);

/// The inverse: a tokenizer.json with the same ids, so that the project has one tokenizer only.
/// @throws Error FileMalformed for keys that are missing or contradict each other; FileUnsupported
/// for a tokenizer model or split rule that is not known
TokenizerFiles tokenizer_from_gguf(const GgufMetadata& metadata);

}  // namespace espalier
