#include "ui/models/expert_matrix.h"

#include <QCoreApplication>
#include <QStringList>
#include <algorithm>
#include <cmath>
#include <numeric>

namespace espalier::ui {

namespace {

QString tr(const char* text) { return QCoreApplication::translate("ExpertMatrix", text); }

}  // namespace

QString stateText(CellStates states, bool isUncertain, std::int32_t mergedInto) {
    QStringList words;
    if (states.testFlag(CellState::ForcedOut)) {
        words.append(tr("forced out"));
    } else if (states.testFlag(CellState::Merged)) {
        words.append(mergedInto < 0 ? tr("merged") : tr("merged into %1").arg(mergedInto));
    } else if (states.testFlag(CellState::Pruned)) {
        words.append(tr("pruned"));
    }
    if (states.testFlag(CellState::Locked)) words.append(tr("locked"));
    if (states.testFlag(CellState::Protected)) words.append(tr("protected"));
    if (states.testFlag(CellState::NeverRouted)) words.append(tr("never routed"));
    if (isUncertain) words.append(tr("uncertain"));
    return words.join(QStringLiteral(", "));
}

QString ExpertMarks::textOf(std::size_t cell) const {
    return stateText(cell < states.size() ? states[cell] : CellStates(),
                     cell < uncertain.size() && uncertain[cell] != 0,
                     cell < mergedInto.size() ? mergedInto[cell] : -1);
}

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
