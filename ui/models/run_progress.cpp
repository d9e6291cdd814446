#include "ui/models/run_progress.h"

#include <QCoreApplication>
#include <QLocale>
#include <QStringList>
#include <variant>

#include "ui/models/format.h"

namespace espalier::ui {
namespace {

constexpr double leastShareForTimeLeft = 0.03;
constexpr double almostDoneSeconds = 10;

QString tr(const char* text) { return QCoreApplication::translate("RunProgress", text); }

}  // namespace

void RunProgress::take(const RunEvent& event) {
    if (const auto* started = std::get_if<StageStarted>(&event)) {
        m_index = started->index;
        m_count = started->count;
        m_stageFraction = 0;
        m_stageName = format::stageName(QString::fromStdString(started->stage));
        m_now.clear();
        if (!m_clock.isValid()) {
            m_clock.start();
            m_clockStart = fraction();
        }
    } else if (const auto* progress = std::get_if<StageProgress>(&event)) {
        m_stageFraction = progress->fraction;
        m_now = QString::fromStdString(progress->now);
    } else if (std::holds_alternative<StageFinished>(event)) {
        m_stageFraction = 1;
    }
}

double RunProgress::fraction() const {
    if (m_count == 0) return 0;
    return (static_cast<double>(m_index) + m_stageFraction) / static_cast<double>(m_count);
}

QString RunProgress::sentence() const {
    if (m_count == 0) return tr("Preparing…");
    QStringList parts{tr("%1 %2/%3").arg(m_stageName).arg(m_index + 1).arg(m_count)};
    if (!m_now.isEmpty()) parts.append(m_now);
    const double done = fraction();
    parts.append(tr("%1 %").arg(QLocale().toString(100 * done, 'f', 0)));
    if (m_clock.isValid() && done - m_clockStart > leastShareForTimeLeft && done < 1) {
        const double seconds = static_cast<double>(m_clock.elapsed()) / 1000.0;
        const double left = seconds * (1 - done) / (done - m_clockStart);
        parts.append(left < almostDoneSeconds ? tr("almost done")
                                              : tr("≈ %1 left").arg(format::duration(left)));
    }
    return parts.join(QStringLiteral(" · "));
}

}  // namespace espalier::ui
