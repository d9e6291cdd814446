#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "model/tensor_role.h"

namespace espalier {

/// Which rows of a stored matrix (elements of a stored vector) a tensor of tensor_role.h has, and
/// in what order. `row_places` in row_places.h tells it in numbers.
enum class RowOrder : std::uint8_t {
    AsNamed,      ///< as tensor_role.h has them
    RotaryPairs,  ///< row 2r of a head holds row r, row 2r+1 holds row r + head_dim/2: rotary
                  ///< pairs side by side
    FirstHalf,    ///< of all rows: gate and up lie in one matrix, one after the other
    SecondHalf,
    EvenRows,  ///< gate and up lie in one matrix, row by row in turn
    OddRows,
    KeyGroupQkv,    ///< DeltaNet: each key head's rows are q | k | v of its value heads | z of them
    KeyGroupZ,      ///< the z of those
    KeyGroupBeta,   ///< each key head's rows are beta of its value heads | decay of them
    KeyGroupDecay,  ///< the decay of those
    HeadKeys,       ///< MLA: each head's rows are nope_dim of its key | value_dim of its value
    HeadValues,     ///< the value's of those
    TurnedHeads,    ///< DeltaNet: value heads in turn, the first of each key head, the second of ..
    TurnedValues,   ///< value_dim rows of each of these
    TurnedQkv,      ///< q | k | v, the value heads in that order
};

/// How values lie in a stored tensor.
enum class TensorForm : std::uint8_t {
    Plain,
    Transposed,       ///< [in, out]
    Heads,            ///< [heads, out / heads, in]
    TransposedHeads,  ///< [heads, in, out / heads]
    TurnedColumns,    ///< columns in the order of TurnedValues
    MinusOne,         ///< a norm's w of (1 + w)
    MinusExp,         ///< -exp(value)
    Mxfp4Pair,        ///< `<pattern>_blocks` [.., in/32, 16] and `<pattern>_scales` [.., in/32]
};

/// One line of a family's table. `{l}` stands for the layer, `{e}` for the expert; an expert role
/// without `{e}` is a stack of all experts, [experts, ..]. A matrix of F8_E4M3 is half of a pair:
/// `<pattern>_scale_inv` holds a factor for each 128 x 128 of its values.
struct TensorName {
    TensorRole role;
    std::string_view pattern;
    RowOrder rows = RowOrder::AsNamed;
    TensorForm form = TensorForm::Plain;
};

/// What a family calls its tensors in one format. Where several lines have one role, the first that
/// the file has counts; where several roles have one pattern, the tensor holds all of them.
struct NameTable {
    std::string_view family;  ///< model_type of the hub, or general.architecture
    std::span<const TensorName> names;
    /// Tensors that do not change the result, by any of these parts of their names.
    std::span<const std::string_view> ignored;
    /// Parts of a model that text does not pass through, by how their names begin.
    std::span<const std::string_view> extra = {};
    /// What the names of prediction blocks begin with, before the number of a layer after the last;
    /// empty: there are none.
    std::string_view extra_layers = {};
    /// What may stand in place of kModelPrefix; empty: nothing.
    std::string_view other_prefix = {};
};

inline constexpr std::string_view kModelPrefix = "model.";
/// Of native folders, whatever the family: the vector that stands in place of an expert.
inline constexpr std::string_view kConstantPattern = "model.layers.{l}.experts.{e}.constant";
/// Endings of the tensors of a pair.
inline constexpr std::string_view kBlocksSuffix = "_blocks";
inline constexpr std::string_view kScalesSuffix = "_scales";
inline constexpr std::string_view kScaleInvSuffix = "_scale_inv";

/// Null for a family that is not known.
const NameTable* hub_names(std::string_view model_type) noexcept;
const NameTable* gguf_names(std::string_view architecture) noexcept;

/// The pattern with layer and expert put in.
std::string tensor_name(std::string_view pattern, const TensorKey& key);
/// The key that a stored name stands for (expert -1 for a stack; the first of several), or nothing.
/// Both tensors of a pair stand for the same.
std::optional<TensorKey> match_name(const NameTable& table, std::string_view name) noexcept;
/// True for the second tensor of a pair.
bool is_scale_name(std::string_view name) noexcept;
bool is_ignored(const NameTable& table, std::string_view name) noexcept;

}  // namespace espalier
