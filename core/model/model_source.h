#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "formats/gguf_reader.h"
#include "formats/gguf_tokenizer.h"
#include "formats/hub_folder.h"
#include "model/moe_config.h"
#include "model/parameter_counts.h"
#include "model/tensor_names.h"
#include "model/tensor_role.h"
#include "tensor/tensor_view.h"

namespace espalier {

/// The bytes that a tensor's rows lie among, and where each of them lies. Rows run along the first
/// axis; those of a vector are its elements.
struct StoredTensor {
    TensorView view;  ///< of one expert, where the file has a stack
    RowOrder rows = RowOrder::AsNamed;
    /// Row r of the tensor is row row_places[r] of the view; empty: row r. Filled for RotaryPairs,
    /// too, which may as well be left as they are and turned pair by pair.
    std::vector<std::int32_t> row_places = {};
    /// Of stored_pair() alone: rows that lie as those of `view` do.
    TensorView scales = {};
};

/// Every artifact opens as one of these: a hub folder or a GGUF file, mapped, never loaded. Tensors
/// are asked for by what they are for; views and decoded values have the shapes of tensor_role.h.
class ModelSource {
public:
    /// @throws Error: E-FILE for broken files, E-ARCH for a family, flag or tensor that is not
    /// known, missing or of the wrong shape. Everything is checked here, before any work begins.
    static std::unique_ptr<ModelSource> open(const std::filesystem::path& path);
    virtual ~ModelSource() = default;

    const std::filesystem::path& path() const noexcept { return path_; }
    /// Folder or file name without its extension, for titles.
    std::string name() const;
    const MoeConfig& config() const noexcept { return config_; }

    virtual bool has(const TensorKey& key) const = 0;
    /// As stored, row after row. Absent if the file has it in any other way.
    virtual std::optional<TensorView> view(const TensorKey& key) const = 0;
    /// As stored, also where the rows lie apart or in another order. Absent if the tensor is no
    /// selection of stored rows (transposed, in a pair of tensors, other values): then only
    /// decode() has it.
    virtual std::optional<StoredTensor> stored(const TensorKey& key) const = 0;
    /// A matrix of MXFP4 in two tensors, which stored() has not: the view holds the codes, laid out
    /// as kernels::decode_mxfp4_pair() reads them.
    virtual std::optional<StoredTensor> stored_pair(const TensorKey&) const { return std::nullopt; }
    /// Values in float32, row-major; `out` has exactly the number of elements.
    /// @throws Error ArchTensor if the model has no such tensor
    virtual void decode(const TensorKey& key, std::span<float> out) const = 0;
    /// Shape without touching the data. @throws Error ArchTensor if the model has no such tensor
    virtual Shape shape(const TensorKey& key) const = 0;
    /// Gives the pages of a layer (-1: the tensors outside the layers) back to the system.
    virtual void release_layer(std::int32_t layer) const = 0;

    /// Every stored tensor under its stored name, for inspection and byte-for-byte copies.
    virtual std::span<const NamedTensor> stored_tensors() const = 0;
    /// Those that the text result does not depend on, by stored name: prediction blocks after the
    /// last layer, vision towers.
    const std::vector<std::string>& extra_tensors() const noexcept { return extra_tensors_; }
    /// What a stored tensor is for; nothing for tensors that the family's table does not know. A
    /// stacked tensor of all experts answers with expert -1 and an expert role; one that holds
    /// several roles' rows with the first of them; both tensors of a pair with the same.
    virtual std::optional<TensorKey> role_of(std::string_view stored_name) const = 0;

    /// Tokenizer as tokenizer.json, whichever form it came in; nothing if the model has none.
    virtual std::optional<TokenizerFiles> tokenizer_files() const = 0;

    /// The folder behind a hub model, null for GGUF; and the reverse.
    virtual const HubFolder* hub_folder() const noexcept { return nullptr; }
    virtual const GgufFile* gguf_file() const noexcept { return nullptr; }

    /// Identifies config and weights without reading all of them: SHA-256 over the config and over
    /// each tensor's name, type, shape and sampled bytes (of a stack of experts, some of each).
    std::string hash() const;

protected:
    std::filesystem::path path_;
    MoeConfig config_;
    std::vector<std::string> extra_tensors_;
};

}  // namespace espalier
