#pragma once

#include "formats/gguf_reader.h"
#include "model/placed_model.h"

namespace espalier {

/// A GGUF file as a model.
class GgufModel : public PlacedModel {
public:
    explicit GgufModel(const std::filesystem::path& path);

    std::span<const NamedTensor> stored_tensors() const override { return file_.tensors(); }
    std::optional<TokenizerFiles> tokenizer_files() const override;
    const GgufFile* gguf_file() const noexcept override { return &file_; }

protected:
    const TensorView* find_stored(std::string_view name) const noexcept override {
        return file_.find(name);
    }
    void release(const TensorView& view) const noexcept override {
        file_.file().release(view.bytes);
    }

private:
    GgufFile file_;
};

}  // namespace espalier
