#include "model/gguf_model.h"

#include "model/config_from_gguf.h"

namespace espalier {

GgufModel::GgufModel(const std::filesystem::path& path) : file_(path) {
    path_ = path;
    config_ = config_from_gguf(file_);
    place_tensors(*gguf_names(file_.metadata().text("general.architecture")));
}

std::optional<TokenizerFiles> GgufModel::tokenizer_files() const {
    if (!file_.metadata().find("tokenizer.ggml.model")) return std::nullopt;
    return tokenizer_from_gguf(file_.metadata());
}

}  // namespace espalier
