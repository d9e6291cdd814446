#include "tokenizer/model.h"

#include <fmt/format.h>

#include "tokenizer/bpe_model.h"
#include "tokenizer/unigram_model.h"

namespace espalier {

std::unique_ptr<const TokenModel> make_model(const JsonPart& json) {
    // The oldest files have no type; they are all BPE.
    const std::string type = json.text("type", json.find("merges") ? "BPE" : "");
    if (type == "BPE") return std::make_unique<BpeModel>(json);
    if (type == "Unigram") return std::make_unique<UnigramModel>(json);
    json.unsupported(fmt::format("unknown model \"{}\"", type));
}

}  // namespace espalier
