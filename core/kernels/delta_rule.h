#pragma once

#include <cstddef>
#include <span>

#include "kernels/matrix_view.h"

namespace espalier::kernels {

/// Columns of a state that one call works on: with keys of 128 they take 16 KiB and stay in the
/// first-level cache for all tokens. Columns do not touch each other.
inline constexpr std::size_t kDeltaColumns = 32;

/// A run of tokens of one head, for a block of `width` columns of its state.
struct DeltaRun {
    RowsView queries;                  ///< [tokens, key_dim]
    RowsView keys;                     ///< [tokens, key_dim]
    RowsView values;                   ///< [tokens, width]
    std::span<const float> decays;     ///< [tokens]; what the state is multiplied with
    std::span<const float> strengths;  ///< [tokens]; beta
    std::size_t key_dim = 0;
    std::size_t width = 0;
};

/// The gated delta rule, token after token, with S the state [key_dim, width]:
///     S = decay S;  S = S + k (beta (v - S^T k))^T;  out = S^T q
/// `out` has a row of `width` a token. arXiv:2412.06464. Float32; sums run over key_dim in order,
/// so the bits do not depend on how tokens are cut into runs.
/// @pre picked is empty in all views
void delta_rule(const DeltaRun& run, std::span<float> state, ProductsView out);

}  // namespace espalier::kernels
