#include "kernels/iq_grids.h"

#include <cstddef>

#include "kernels/iq_codes.h"

namespace espalier::kernels {
namespace {

/// Points from codes, by the levels that an element can have.
template <typename Point, std::size_t N, std::size_t NumLevels>
constexpr std::array<Point, N> points(
    const std::array<std::uint16_t, N>& codes,
    const std::array<typename Point::value_type, NumLevels>& levels) {
    constexpr unsigned kBits = NumLevels > 4 ? 3 : 2;
    std::array<Point, N> grid{};
    for (std::size_t p = 0; p < N; ++p) {
        for (std::size_t i = 0; i < grid[p].size(); ++i) {
            grid[p][i] = levels[(codes[p] >> (kBits * i)) & ((1U << kBits) - 1)];
        }
    }
    return grid;
}

constexpr std::array<std::uint8_t, 3> kIq2Levels{8, 25, 43};
constexpr std::array<std::uint8_t, 8> kIq3XxsLevels{4, 12, 20, 28, 36, 44, 52, 62};
constexpr std::array<std::uint8_t, 8> kIq3SLevels{1, 3, 5, 7, 9, 11, 13, 15};
constexpr std::array<std::int8_t, 3> kIq1Levels{-1, 0, 1};

}  // namespace

constinit const std::array<Grid8, 256> kIq2XxsGrid = points<Grid8>(kIq2XxsCodes, kIq2Levels);
constinit const std::array<Grid8, 512> kIq2XsGrid = points<Grid8>(kIq2XsCodes, kIq2Levels);
constinit const std::array<Grid8, 1024> kIq2SGrid = points<Grid8>(kIq2SCodes, kIq2Levels);
constinit const std::array<Grid4, 256> kIq3XxsGrid = points<Grid4>(kIq3XxsCodes, kIq3XxsLevels);
constinit const std::array<Grid4, 512> kIq3SGrid = points<Grid4>(kIq3SCodes, kIq3SLevels);
constinit const std::array<std::array<std::int8_t, 8>, 2048> kIq1SGrid =
    points<std::array<std::int8_t, 8>>(kIq1SCodes, kIq1Levels);

}  // namespace espalier::kernels
