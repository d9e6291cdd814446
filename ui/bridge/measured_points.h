#pragma once

#include <QString>
#include <cstdint>
#include <optional>
#include <vector>

#include "ui/bridge/plan_state.h"
#include "ui/bridge/probe_types.h"

namespace espalier::ui {

/// What texts are known by beside a plan, which may be mailed: the same texts in the same place
/// give the same key, and no path can be read from it.
QString keyOf(const ProbeSource& probe);

/// A plan that was measured, to go back to.
struct MeasuredPoint {
    int id = 0;  ///< counts from 1
    PlanState plan;
    QString probe;  ///< see keyOf()
    ProbeReading reading;
    std::uint64_t bytes = 0;  ///< of the model without the removed experts
};

/// What was measured of one model on all its probe sets, one point a plan and probe set.
class MeasuredPoints {
public:
    const std::vector<MeasuredPoint>& all() const { return m_points; }
    void clear() { *this = {}; }
    /// Replaces the point of the same plan and probe set.
    void add(const PlanState& plan, const ProbeSource& probe, const ProbeReading& reading,
             std::uint64_t bytes);
    /// Takes points that a file has kept. Those that were measured anew stay.
    void restore(const std::vector<MeasuredPoint>& points);
    /// The one that does the same; null if it was not measured.
    const MeasuredPoint* find(const PlanState& plan, const ProbeSource& probe) const;
    const MeasuredPoint* find(int id) const;
    /// Between two measured plans of the same settings but for the number of experts, in the
    /// logarithm of the divergence; nothing where there are none on both sides.
    std::optional<double> predictedKl(const PlanState& plan, const ProbeSource& probe) const;

private:
    std::vector<MeasuredPoint> m_points;
    int m_lastId = 0;
};

}  // namespace espalier::ui
