#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tokenizer/json_part.h"

namespace espalier {

/// Turns token strings back into text, step by step.
class Decoder {
public:
    virtual ~Decoder() = default;
    virtual void apply(std::vector<std::string>& tokens) const = 0;
};

/// Sequence, ByteLevel, Replace, ByteFallback, Fuse, Strip, Metaspace, BPEDecoder.
/// @throws Error FileUnsupported for any other
std::unique_ptr<const Decoder> make_decoder(const JsonPart& json);

}  // namespace espalier
