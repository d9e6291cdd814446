#pragma once

#include <QFlags>
#include <QMetaType>
#include <QString>
#include <cstdint>
#include <vector>

namespace espalier::ui {

/// What a plan or the statistics say of one expert. Without any flag it is undecided.
enum class CellState : std::uint8_t {
    Pruned = 1,        ///< goes by its score
    Locked = 2,        ///< the user keeps it
    ForcedOut = 4,     ///< the user takes it out
    Protected = 8,     ///< a rule keeps it
    NeverRouted = 16,  ///< no token chose it
    Merged = 32        ///< becomes part of another, see ExpertMarks::mergedInto
};
Q_DECLARE_FLAGS(CellStates, CellState)
Q_DECLARE_OPERATORS_FOR_FLAGS(CellStates)

/// One expert of a model, by the absolute index of its layer.
struct ExpertCell {
    std::int64_t layer = 0;
    std::int32_t expert = 0;
    auto operator<=>(const ExpertCell&) const = default;
};

/// "L17.E042".
QString cellId(const ExpertCell& cell);

/// Why experts were or were not chosen: what changes with every edit of a plan.
struct ExpertMarks {
    std::vector<CellStates> states;       ///< [layers, experts]; empty = all undecided
    std::vector<std::uint8_t> uncertain;  ///< [layers, experts], score ± 2 standard errors crosses
                                          ///< the cut; empty = none
    /// [layers, experts], the expert that takes it in, -1 = none does; empty = nothing is merged
    std::vector<std::int32_t> mergedInto;
    std::vector<std::int32_t> numKept;  ///< [layers]; empty = no plan
    std::vector<double> shareKept;      ///< [layers], of the saliency, 0 to 1; empty = unknown
    bool operator==(const ExpertMarks&) const = default;

    /// "merged into 12, uncertain": the states of a cell of the matrix.
    QString textOf(std::size_t cell) const;
};

/// A number for every expert of every routed layer, with what a plan does to it.
struct ExpertMatrix {
    QString metric;             ///< "saliency", in the user's language
    QString unit;               ///< "%"; empty for a pure number
    bool isDifference = false;  ///< against another matrix: zero lies in the middle
    std::int32_t numExperts = 0;
    std::vector<std::int64_t> layers;  ///< absolute indices, ascending
    std::vector<double> values;        ///< [layers, experts]; NaN = none
    std::vector<std::int32_t> ranks;   ///< [layers, experts], 1 = highest; empty: of the values
    std::vector<std::int32_t> groups;  ///< [layers, experts]; empty = no groups
    QString layerMetric;               ///< name of layerValues
    std::vector<double> layerValues;   ///< [layers]; empty = none
    ExpertMarks marks;

    std::size_t size() const { return layers.size() * static_cast<std::size_t>(numExperts); }
    bool hasShapeOf(const ExpertMatrix& other) const {
        return layers == other.layers && numExperts == other.numExperts;
    }
};

/// The words of states, in the order in which they are read out: "pruned, uncertain".
/// @param mergedInto see ExpertMarks; -1 = not told
QString stateText(CellStates states, bool isUncertain, std::int32_t mergedInto = -1);

/// 1 for the highest value of a layer; values that are none come last, equal ones by number.
std::vector<std::int32_t> ranksInLayers(const std::vector<double>& values, std::int32_t numExperts);

}  // namespace espalier::ui

Q_DECLARE_METATYPE(espalier::ui::CellStates)
Q_DECLARE_METATYPE(espalier::ui::ExpertCell)
