#include "prune/assignment.h"

#include <limits>

#include "base/cancel.h"

namespace espalier {
namespace {

/// Rows and columns count from 1; 0 stands for "none yet".
class Assignment {
public:
    Assignment(std::span<const float> cost, std::size_t n)
        : cost_(cost),
          n_(n),
          row_potential_(n + 1, 0.0),
          column_potential_(n + 1, 0.0),
          row_of_(n + 1, 0),
          came_from_(n + 1, 0) {}

    /// One row more, along the shortest path to a free column.
    void add(std::size_t row) {
        slack_.assign(n_ + 1, std::numeric_limits<double>::infinity());
        is_reached_.assign(n_ + 1, 0);
        row_of_[0] = row;
        std::size_t column = 0;
        do {
            column = reach_next(column);
        } while (row_of_[column] != 0);
        while (column != 0) {
            row_of_[column] = row_of_[came_from_[column]];
            column = came_from_[column];
        }
    }

    std::vector<std::int32_t> columns() const {
        std::vector<std::int32_t> result(n_);
        for (std::size_t c = 1; c <= n_; ++c) {
            result[row_of_[c] - 1] = static_cast<std::int32_t>(c - 1);
        }
        return result;
    }

private:
    /// Takes the column into the tree of shortest paths and moves on to the next nearest.
    std::size_t reach_next(std::size_t column) {
        is_reached_[column] = 1;
        const std::size_t row = row_of_[column];
        const auto costs = cost_.subspan((row - 1) * n_, n_);
        double nearest = std::numeric_limits<double>::infinity();
        std::size_t next = 0;
        for (std::size_t c = 1; c <= n_; ++c) {
            if (is_reached_[c] != 0) continue;
            const double reduced =
                static_cast<double>(costs[c - 1]) - row_potential_[row] - column_potential_[c];
            if (reduced < slack_[c]) {
                slack_[c] = reduced;
                came_from_[c] = column;
            }
            if (slack_[c] < nearest) {
                nearest = slack_[c];
                next = c;
            }
        }
        for (std::size_t c = 0; c <= n_; ++c) {
            if (is_reached_[c] != 0) {
                row_potential_[row_of_[c]] += nearest;
                column_potential_[c] -= nearest;
            } else {
                slack_[c] -= nearest;
            }
        }
        return next;
    }

    std::span<const float> cost_;
    std::size_t n_;
    std::vector<double> row_potential_, column_potential_, slack_;
    std::vector<std::size_t> row_of_;     ///< by column
    std::vector<std::size_t> came_from_;  ///< by column: the column before it on its path
    std::vector<char> is_reached_;
};

}  // namespace

std::vector<std::int32_t> assign_least_cost(std::span<const float> cost, std::size_t n,
                                            const std::stop_token& stop) {
    Assignment assignment(cost, n);
    for (std::size_t row = 1; row <= n; ++row) {
        throw_if_stopped(stop);
        assignment.add(row);
    }
    return assignment.columns();
}

}  // namespace espalier
