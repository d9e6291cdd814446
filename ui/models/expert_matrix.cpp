#include "ui/models/expert_matrix.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace espalier::ui {

QString cellId(const ExpertCell& cell) {
    return QStringLiteral("L%1.E%2").arg(cell.layer).arg(cell.expert, 3, 10, QLatin1Char('0'));
}

std::vector<std::int32_t> ranksInLayers(const std::vector<double>& values,
                                        std::int32_t numExperts) {
    const auto width = static_cast<std::size_t>(numExperts);
    std::vector<std::int32_t> ranks(values.size());
    std::vector<std::size_t> order(width);
    for (std::size_t begin = 0; begin + width <= values.size() && width > 0; begin += width) {
        std::iota(order.begin(), order.end(), begin);
        std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
            if (std::isnan(values[a]) || std::isnan(values[b]))
                return std::isnan(values[b]) > std::isnan(values[a]);
            return values[a] > values[b];
        });
        for (std::size_t i = 0; i < width; ++i) ranks[order[i]] = static_cast<std::int32_t>(i + 1);
    }
    return ranks;
}

}  // namespace espalier::ui
