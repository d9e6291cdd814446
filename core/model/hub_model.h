#pragma once

#include "formats/hub_folder.h"
#include "model/placed_model.h"

namespace espalier {

/// A hub folder as a model.
class HubModel : public PlacedModel {
public:
    explicit HubModel(const std::filesystem::path& path);

    std::span<const NamedTensor> stored_tensors() const override { return folder_.tensors(); }
    std::optional<TokenizerFiles> tokenizer_files() const override;
    const HubFolder* hub_folder() const noexcept override { return &folder_; }

protected:
    const TensorView* find_stored(std::string_view name) const noexcept override {
        return folder_.find(name);
    }
    void release(const TensorView& view) const noexcept override { folder_.release(view); }

private:
    HubFolder folder_;
};

}  // namespace espalier
