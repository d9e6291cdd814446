#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace espalier {

using TokenId = std::int32_t;

/// Text to token ids and back, exactly as the Hugging Face `tokenizers` library does it from the
/// same tokenizer.json. Immutable after construction: usable from several threads.
class Tokenizer {
public:
    /// @throws Error FileMalformed or FileUnsupported, naming the part of tokenizer.json
    explicit Tokenizer(const Json& tokenizer_json, std::string_view source = "tokenizer.json");
    ~Tokenizer();
    Tokenizer(Tokenizer&&) noexcept;
    Tokenizer& operator=(Tokenizer&&) noexcept;

    /// @param add_special runs the post-processor (BOS and the like); special tokens written in the
    /// text are recognised either way. @throws Error DataLine if `text` is not UTF-8
    std::vector<TokenId> encode(std::string_view text, bool add_special = true) const;
    /// Unknown ids vanish; the result is UTF-8, with U+FFFD where bytes make no character.
    std::string decode(std::span<const TokenId> ids, bool skip_special = false) const;

    std::optional<TokenId> id_of(std::string_view token) const;
    /// The token as the vocabulary spells it; empty for a hole.
    std::string token_text(TokenId id) const;
    bool is_special(TokenId id) const;
    /// One past the largest id.
    TokenId num_ids() const;

private:
    struct Parts;
    std::unique_ptr<const Parts> parts_;
};

/// Decodes a stream of ids, never emitting half a character.
class StreamingDecoder {
public:
    explicit StreamingDecoder(const Tokenizer& tokenizer, bool skip_special = true);
    /// Text that the new id completes; empty if none yet.
    std::string push(TokenId id);
    /// What is left when the stream ends, U+FFFD for incomplete bytes.
    std::string finish();

private:
    const Tokenizer& tokenizer_;
    bool skip_special_;
    std::vector<TokenId> window_;
    std::string prefix_;
    std::size_t prefix_ids_ = 0;
};

}  // namespace espalier
