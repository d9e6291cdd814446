#include "heat_sample.h"

#include <algorithm>
#include <cmath>
#include <random>

using namespace espalier::ui;

namespace {

void mark(ExpertMatrix& matrix, std::mt19937& random) {
    const auto width = static_cast<std::size_t>(matrix.numExperts);
    ExpertMarks& marks = matrix.marks;
    marks.states.resize(matrix.size());
    marks.uncertain.resize(matrix.size());
    const std::int32_t kept = matrix.numExperts * 3 / 4;
    for (std::size_t i = 0; i < matrix.size(); ++i) {
        if (matrix.ranks[i] > kept) marks.states[i] |= CellState::Pruned;
        marks.uncertain[i] = std::abs(matrix.ranks[i] - kept) <= 1;
        const auto dice = random() % 60;
        if (dice == 0) marks.states[i] = CellState::Locked;
        if (dice == 1) marks.states[i] = CellState::ForcedOut;
        if (dice == 2) marks.states[i] = CellState::Protected;
        if (dice == 3) marks.states[i] |= CellState::NeverRouted;
    }
    for (std::size_t layer = 0; layer < matrix.layers.size(); ++layer) {
        double all = 0;
        double stay = 0;
        std::int32_t count = 0;
        for (std::size_t i = layer * width; i < (layer + 1) * width; ++i) {
            all += matrix.values[i];
            if (marks.states[i] & (CellState::Pruned | CellState::ForcedOut)) continue;
            stay += matrix.values[i];
            ++count;
        }
        marks.numKept.push_back(count);
        marks.shareKept.push_back(stay / all);
    }
}

}  // namespace

ExpertMatrix heatSample(std::int64_t numLayers, std::int32_t numExperts) {
    std::mt19937 random(7);
    ExpertMatrix matrix;
    matrix.metric = QStringLiteral("saliency");
    matrix.numExperts = numExperts;
    for (std::int64_t layer = 0; layer < numLayers; ++layer) matrix.layers.push_back(layer);
    matrix.values.resize(matrix.size());
    for (double& value : matrix.values)
        value = 0.02 * std::exp(static_cast<double>(random() % 1000) / 250.0 - 1);
    matrix.ranks = ranksInLayers(matrix.values, numExperts);
    mark(matrix, random);
    return matrix;
}
