#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <span>
#include <vector>

namespace espalier {

/// Row `row` of a matrix with `columns` columns.
template <typename T>
std::span<T> row_of(std::span<T> matrix, std::size_t row, std::size_t columns) {
    return matrix.subspan(row * columns, columns);
}

inline constexpr std::size_t kRowLanes = 8;

/// Calls apply(column, lane) for every column, in blocks of a fixed size that the compiler turns
/// into vectors.
template <typename Apply>
void for_each_column(std::size_t columns, const Apply& apply) {
    std::size_t c = 0;
    for (; c + kRowLanes <= columns; c += kRowLanes) {
        for (std::size_t lane = 0; lane < kRowLanes; ++lane) apply(c + lane, lane);
    }
    for (; c < columns; ++c) apply(c, c % kRowLanes);
}

/// In float64, in a fixed order.
inline double dot(std::span<const float> a, std::span<const float> b) {
    std::array<double, kRowLanes> sums{};
    for_each_column(a.size(), [&, x = a.data(), y = b.data()](std::size_t c, std::size_t lane) {
        sums[lane] += static_cast<double>(x[c]) * static_cast<double>(y[c]);
    });
    return std::accumulate(sums.begin(), sums.end(), 0.0);
}

inline void add_row(std::span<const float> row, std::span<double> sums) {
    for_each_column(row.size(), [from = row.data(), to = sums.data()](std::size_t c, std::size_t) {
        to[c] += static_cast<double>(from[c]);
    });
}

inline void add_scaled_row(double scale, std::span<const float> row, std::span<double> sums) {
    for_each_column(row.size(),
                    [scale, from = row.data(), to = sums.data()](std::size_t c, std::size_t) {
                        to[c] += scale * static_cast<double>(from[c]);
                    });
}

inline void add_row_squares(std::span<const float> row, std::span<double> sums) {
    for_each_column(row.size(), [from = row.data(), to = sums.data()](std::size_t c, std::size_t) {
        const auto value = static_cast<double>(from[c]);
        to[c] += value * value;
    });
}

/// sums += (scale * row)^2, and the largest such square of each column.
inline void add_scaled_squares(double scale, std::span<const float> row, std::span<double> sums,
                               std::span<double> largest) {
    for_each_column(row.size(), [scale, from = row.data(), to = sums.data(), most = largest.data()](
                                    std::size_t c, std::size_t) {
        const double value = scale * static_cast<double>(from[c]);
        to[c] += value * value;
        most[c] = std::max(most[c], value * value);
    });
}

struct RowSize {
    double norm_sq = 0;
    double max_abs = 0;
};

inline RowSize measure_row(std::span<const float> row) {
    std::array<double, kRowLanes> squares{};
    std::array<float, kRowLanes> largest{};
    for_each_column(row.size(), [&, from = row.data()](std::size_t c, std::size_t lane) {
        const auto value = static_cast<double>(from[c]);
        squares[lane] += value * value;
        largest[lane] = std::max(largest[lane], std::abs(from[c]));
    });
    return {.norm_sq = std::accumulate(squares.begin(), squares.end(), 0.0),
            .max_abs = static_cast<double>(*std::max_element(largest.begin(), largest.end()))};
}

/// Row `row` of a [rows, columns] sum that gets its size from the first batch.
inline std::span<double> sums_of(std::vector<double>& all, std::size_t rows, std::size_t row,
                                 std::size_t columns) {
    if (all.empty()) all.resize(rows * columns);
    return row_of(std::span(all), row, columns);
}

}  // namespace espalier
