#pragma once

#include <optional>
#include <vector>

#include "ui/charts/chart_panel.h"

class QLineSeries;

namespace espalier::ui {

/// What a round of pruning left, measured as a mask.
struct PruneRound {
    int round = 0;       ///< counts from 1
    double experts = 0;  ///< of each layer
    double kl = 0;       ///< from the whole model, nats
    double top1 = 0;     ///< share of positions with the same best token
    double perplexity = 0;
    int refused = 0;               ///< larger steps that went past the limits
    std::optional<double> recall;  ///< share of the original's choices kept; none = not compared
    bool operator==(const PruneRound&) const = default;
};

/// How the divergence grows and the routing holds as experts go, round by round.
class RoundsChart : public ChartPanel {
    Q_OBJECT

public:
    explicit RoundsChart(const QString& name, QWidget* parent = nullptr);

    void setRounds(const std::vector<PruneRound>& rounds);

protected:
    void paintSeries() override;

private:
    void fitAxes(const std::vector<PruneRound>& rounds);
    static QString summaryOf(const std::vector<PruneRound>& rounds);

    QLineSeries* m_kl;
    QLineSeries* m_recall;
    QValueAxis* m_share;
};

}  // namespace espalier::ui
