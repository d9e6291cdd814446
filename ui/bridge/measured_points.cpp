#include "ui/bridge/measured_points.h"

#include <algorithm>
#include <cmath>

namespace espalier::ui {
namespace {

bool keepTheSame(const PlanState& a, const PlanState& b) {
    const PlanDifference difference = differenceOf(a, b);
    return a.layers.size() == b.layers.size() && difference.layers.empty();
}

/// Alike but for how many stay: then more experts cost less, and what lies between can be told.
bool areOfOneKind(const PlanState& a, const PlanState& b) {
    PlanSettings settings = a.settings;
    settings.keep = b.settings.keep;
    return settings == b.settings && a.chooser == b.chooser;
}

}  // namespace

void MeasuredPoints::add(const PlanState& plan, const ProbeSource& probe,
                         const ProbeReading& reading, std::uint64_t bytes) {
    const auto same = std::find_if(m_points.begin(), m_points.end(), [&](const auto& point) {
        return point.probe == probe && keepTheSame(point.plan, plan);
    });
    if (same != m_points.end()) {
        same->reading = reading;
    } else {
        m_points.push_back({++m_lastId, plan, probe, reading, bytes});
    }
}

const MeasuredPoint* MeasuredPoints::find(const PlanState& plan, const ProbeSource& probe) const {
    for (const MeasuredPoint& point : m_points) {
        if (point.probe == probe && keepTheSame(point.plan, plan)) return &point;
    }
    return nullptr;
}

const MeasuredPoint* MeasuredPoints::find(int id) const {
    const auto found = std::find_if(m_points.begin(), m_points.end(),
                                    [id](const auto& point) { return point.id == id; });
    return found == m_points.end() ? nullptr : &*found;
}

std::optional<double> MeasuredPoints::predictedKl(const PlanState& plan,
                                                  const ProbeSource& probe) const {
    const MeasuredPoint* below = nullptr;
    const MeasuredPoint* above = nullptr;
    const std::int64_t kept = plan.totalKept();
    for (const MeasuredPoint& point : m_points) {
        if (point.probe != probe || !areOfOneKind(point.plan, plan)) continue;
        if (!(point.reading.cost.all.kl > 0)) continue;
        const std::int64_t there = point.plan.totalKept();
        if (there <= kept && (below == nullptr || there > below->plan.totalKept())) below = &point;
        if (there >= kept && (above == nullptr || there < above->plan.totalKept())) above = &point;
    }
    if (below == nullptr || above == nullptr || below == above) return std::nullopt;
    const auto low = static_cast<double>(below->plan.totalKept());
    const auto high = static_cast<double>(above->plan.totalKept());
    const double share = high > low ? (static_cast<double>(kept) - low) / (high - low) : 0.0;
    return std::exp((1 - share) * std::log(below->reading.cost.all.kl) +
                    share * std::log(above->reading.cost.all.kl));
}

}  // namespace espalier::ui
