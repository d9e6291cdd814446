#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"

// What a conversion needs to know of a tokenizer.json, as it stands there. Every function throws
// Error FileMalformed for a part that cannot be understood.
namespace espalier {

/// The member of an object; null if absent or JSON's null, or if `object` is none.
const Json* json_member(const Json& object, const char* key);
/// "" unless the member is a text, false unless it is `true`.
std::string json_text(const Json& object, const char* key);
bool json_flag(const Json& object, const char* key);

[[noreturn]] void throw_malformed_tokenizer(const std::string& what);

/// Text and GGUF type of every id; ids without a token are `[PADn]`, unused.
struct TokenTable {
    std::vector<std::string> texts;
    std::vector<std::int32_t> types;

    std::optional<std::uint32_t> find(std::string_view text) const;
};

/// @throws Error ArchConfig for an id that is not below `vocab_size`
TokenTable read_token_table(const Json& tokenizer, std::int64_t vocab_size);

using TokenMerge = std::pair<std::string, std::string>;
/// In the order of their ranks; both spellings, "a b" and ["a", "b"].
std::vector<TokenMerge> read_merges(const Json& model);

/// Special tokens that the post-processor (TemplateProcessing, alone or in a sequence) puts around
/// a text.
struct Surroundings {
    std::vector<std::string> before;
    std::vector<std::string> after;
};
/// @param processor may be null
Surroundings read_surroundings(const Json* processor);

/// `bos_token` and the like of tokenizer_config.json: "<s>" or {"content": "<s>"}; empty if absent.
std::string special_token(const Json& config, const char* key);

}  // namespace espalier
