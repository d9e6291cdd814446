#include "model/gguf_model.h"

#include "model/config_from_gguf.h"

namespace espalier {

GgufModel::GgufModel(const std::filesystem::path& path) : files_(path) {
    path_ = path;
    config_ = config_from_gguf(files_);
    place_tensors(*gguf_names(files_.metadata().text("general.architecture")));
}

std::optional<TokenizerFiles> GgufModel::tokenizer_files() const {
    if (!files_.metadata().find("tokenizer.ggml.model")) return std::nullopt;
    return tokenizer_from_gguf(files_.metadata());
}

}  // namespace espalier
