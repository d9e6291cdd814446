#pragma once

#include "formats/gguf_set.h"
#include "model/placed_model.h"

namespace espalier {

/// A GGUF file, or all parts of a split one, as a model.
class GgufModel : public PlacedModel {
public:
    explicit GgufModel(const std::filesystem::path& path);

    std::span<const NamedTensor> stored_tensors() const override { return files_.tensors(); }
    std::optional<TokenizerFiles> tokenizer_files() const override;
    const GgufFile* gguf_file() const noexcept override { return &files_.first(); }

protected:
    const TensorView* find_stored(std::string_view name) const noexcept override {
        return files_.find(name);
    }
    void release(const TensorView& view) const noexcept override { files_.release(view); }

private:
    GgufSet files_;
};

}  // namespace espalier
