#pragma once

#include <array>
#include <cstdint>

namespace espalier::kernels {

/// Lattice points of the i-quants, magnitudes without sign.
using Grid8 = std::array<std::uint8_t, 8>;
using Grid4 = std::array<std::uint8_t, 4>;

extern const std::array<Grid8, 256> kIq2XxsGrid;
extern const std::array<Grid8, 512> kIq2XsGrid;
extern const std::array<Grid8, 1024> kIq2SGrid;
extern const std::array<Grid4, 256> kIq3XxsGrid;
extern const std::array<Grid4, 512> kIq3SGrid;
/// IQ1 stores -1, 0 or 1, shifted by an eighth when decoded.
extern const std::array<std::array<std::int8_t, 8>, 2048> kIq1SGrid;

/// The 16 values of IQ4_NL and IQ4_XS.
inline constexpr std::array<std::int8_t, 16> kIq4Values{-127, -104, -83, -65, -49, -35, -22, -10,
                                                        1,    13,   25,  38,  53,  69,  89,  113};

}  // namespace espalier::kernels
