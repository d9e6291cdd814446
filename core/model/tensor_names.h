#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "model/tensor_role.h"

namespace espalier {

/// How the rows of a stored matrix are ordered within each head.
enum class RowOrder {
    AsNamed,      ///< as tensor_role.h and the hub have them
    RotaryPairs,  ///< row 2r holds row r, row 2r+1 holds row r + head_dim/2: rotary pairs side by
                  ///< side
};

/// One line of a family's table. `{l}` stands for the layer, `{e}` for the expert; an expert role
/// without `{e}` is a stack of all experts, [experts, out, in].
struct TensorName {
    TensorRole role;
    std::string_view pattern;
    RowOrder rows = RowOrder::AsNamed;
};

/// What a family calls its tensors in one format. Where several lines have one role, the first that
/// the file has counts.
struct NameTable {
    std::string_view family;  ///< model_type of the hub, or general.architecture
    std::span<const TensorName> names;
    /// Tensors that do not change the result, by any of these parts of their names.
    std::span<const std::string_view> ignored;
};

/// Null for a family that is not known.
const NameTable* hub_names(std::string_view model_type) noexcept;
const NameTable* gguf_names(std::string_view architecture) noexcept;

/// The pattern with layer and expert put in.
std::string tensor_name(std::string_view pattern, const TensorKey& key);
/// The key that a stored name stands for (expert -1 for a stack), or nothing.
std::optional<TensorKey> match_name(const NameTable& table, std::string_view name) noexcept;
bool is_ignored(const NameTable& table, std::string_view name) noexcept;

}  // namespace espalier
