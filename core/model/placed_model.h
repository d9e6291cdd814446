#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "model/model_source.h"
#include "model/tensor_names.h"
#include "model/tensor_place.h"

namespace espalier {

/// What hub folders and GGUF files have in common: a name table says where each tensor of the
/// config lies; shapes and types are checked once, on opening.
class PlacedModel : public ModelSource {
public:
    bool has(const TensorKey& key) const override { return places_.contains(key); }
    std::optional<TensorView> view(const TensorKey& key) const override;
    std::optional<StoredTensor> stored(const TensorKey& key) const override;
    std::optional<StoredTensor> stored_pair(const TensorKey& key) const override;
    void decode(const TensorKey& key, std::span<float> out) const override;
    Shape shape(const TensorKey& key) const override;
    void release_layer(std::int32_t layer) const override;
    std::optional<TensorKey> role_of(std::string_view stored_name) const override;

protected:
    /// Finds every tensor of config_ among stored_tensors().
    /// @throws Error ArchTensor for one that is missing, of the wrong shape or unknown,
    /// FileUnsupported for a type that cannot be decoded
    void place_tensors(const NameTable& table);

    virtual const TensorView* find_stored(std::string_view name) const noexcept = 0;
    virtual void release(const TensorView& view) const noexcept = 0;

private:
    const TensorView* find_named(const std::string& name) const;
    TensorPlace locate(const TensorKey& key, const Shape& shape) const;
    /// Also refuses what nobody knows or has a place for.
    void sort_by_layer();
    bool is_extra(std::string_view name) const;
    void check_known(const NamedTensor& tensor, const std::optional<TensorKey>& key) const;
    const TensorPlace& require(const TensorKey& key) const;

    const NameTable* table_ = nullptr;
    std::map<TensorKey, TensorPlace> places_;
    /// All stored tensors; -1 holds those outside the layers.
    std::map<std::int32_t, std::vector<TensorView>> by_layer_;
};

}  // namespace espalier
