#pragma once

#include <cstdint>

namespace espalier {

/// Values of `tokenizer.ggml.token_type`.
enum class GgufTokenType : std::int32_t {
    Normal = 1,
    Unknown = 2,
    Control = 3,      ///< special: not shown as text
    UserDefined = 4,  ///< found in the text before splitting, but shown
    Unused = 5,
    Byte = 6,  ///< "<0x0A>", for characters that are not in the vocabulary
};

}  // namespace espalier
