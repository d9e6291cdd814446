#pragma once

#include <QElapsedTimer>
#include <QString>
#include <cstddef>

#include "pipeline/events.h"

namespace espalier::ui {

/// Where a run stands and how long it still takes, from its events.
class RunProgress {
public:
    void take(const RunEvent& event);
    void clear() { *this = RunProgress(); }

    std::size_t stage() const { return m_index; }
    /// 0 to 1 of the whole run.
    double fraction() const;
    /// "Prune 2 of 4 · layer 3 of 6 · 41 % · ≈ 2 min 10 s left"
    QString sentence() const;

private:
    std::size_t m_index = 0;
    std::size_t m_count = 0;
    double m_stageFraction = 0;
    QString m_stageName;
    QString m_now;
    QElapsedTimer m_clock;
    double m_clockStart = 0;  ///< share of the run that was done when the clock started
};

}  // namespace espalier::ui
