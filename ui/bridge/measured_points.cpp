#include "ui/bridge/measured_points.h"

#include <QCryptographicHash>
#include <algorithm>
#include <cmath>
#include <string>

namespace espalier::ui {
namespace {

constexpr qsizetype lettersOfKey = 16;

/// Alike but for how many stay: then more experts cost less, and what lies between can be told.
bool areOfOneKind(const PlanState& a, const PlanState& b) {
    PlanSettings settings = a.settings;
    settings.keep = b.settings.keep;
    return settings == b.settings && a.chooser == b.chooser;
}

/// Null if there is none.
template <typename Points>
auto findIn(Points& points, const PlanState& plan, const QString& probe) -> decltype(&points[0]) {
    const auto same = std::find_if(points.begin(), points.end(), [&](const auto& point) {
        return point.probe == probe && doTheSame(point.plan, plan);
    });
    return same == points.end() ? nullptr : &*same;
}

}  // namespace

QString keyOf(const ProbeSource& probe) {
    QCryptographicHash hash(QCryptographicHash::Sha256);
    const auto add = [&hash](const std::string& text) {
        hash.addData(QByteArray::number(static_cast<qulonglong>(text.size())) + ':');
        hash.addData(QByteArray::fromStdString(text));
    };
    add(probe.file.toStdString());
    for (const DataSource& source : probe.data) {
        add(source.path.string());
        add(source.task);
        add(std::to_string(source.weight));
    }
    add(std::to_string(probe.context));
    add(std::to_string(probe.maxTokens));
    return QString::fromLatin1(hash.result().toHex().left(lettersOfKey));
}

void MeasuredPoints::add(const PlanState& plan, const ProbeSource& probe,
                         const ProbeReading& reading, std::uint64_t bytes) {
    const QString key = keyOf(probe);
    if (MeasuredPoint* same = findIn(m_points, plan, key)) {
        same->reading = reading;
    } else {
        m_points.push_back({++m_lastId, plan, key, reading, bytes});
    }
}

void MeasuredPoints::restore(const std::vector<MeasuredPoint>& points) {
    for (const MeasuredPoint& point : points) {
        if (findIn(m_points, point.plan, point.probe) != nullptr) continue;
        m_points.push_back(point);
        m_points.back().id = ++m_lastId;
    }
}

const MeasuredPoint* MeasuredPoints::find(const PlanState& plan, const ProbeSource& probe) const {
    return findIn(m_points, plan, keyOf(probe));
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
    const QString key = keyOf(probe);
    for (const MeasuredPoint& point : m_points) {
        if (point.probe != key || !areOfOneKind(point.plan, plan)) continue;
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
