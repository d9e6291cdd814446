#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "formats/hub_folder.h"
#include "formats/hub_folder_writer.h"
#include "quant/write_hub.h"

namespace espalier {

/// The tensors of a hub folder as another one has them: every one byte for byte and by its own
/// name, those that text does not pass through included. Only a pair of tensors becomes a single
/// one: F32 of a matrix in F8_E4M3 with its factors, BF16 of MXFP4, which lose nothing.
class HubCopy {
public:
    /// Keeps both. @param folder where `model` lies
    HubCopy(const ModelSource& model, const HubFolder& folder);

    std::vector<TensorSpec> specs() const;
    std::uint64_t total_bytes() const;
    bool has_pairs() const noexcept { return has_pairs_; }
    /// Writes all tensors in the order of specs(). @throws Error, Cancelled
    void write(HubFolderWriter& writer, const HubWrite& request) const;

private:
    /// One tensor of the copy, and what it is made of.
    struct Item {
        TensorSpec spec;
        TensorView view;
        TensorView scales = {};   ///< of a pair
        std::string second = {};  ///< name of the scales
    };
    class Progress;

    std::optional<Item> mxfp4_pair(const NamedTensor& stored) const;
    std::optional<Item> f8_pair(const NamedTensor& stored) const;
    void write_bytes(const Item& item, Progress& progress) const;
    void write_pair(const Item& item, Progress& progress) const;

    const ModelSource& model_;
    const HubFolder& folder_;
    std::vector<Item> items_;
    bool has_pairs_ = false;
};

}  // namespace espalier
