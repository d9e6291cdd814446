#include "ui/pages/experts_layer_tab.h"

#include <QBoxLayout>
#include <QComboBox>
#include <QLabel>
#include <QSignalBlocker>
#include <algorithm>

#include "prune/stability.h"
#include "ui/bridge/expert_session.h"
#include "ui/charts/layer_chart.h"
#include "ui/charts/stability_chart.h"
#include "ui/models/format.h"
#include "ui/models/plan_matrix.h"
#include "ui/theme/metrics.h"
#include "ui/widgets/info_view.h"

namespace espalier::ui {

ExpertsLayerTab::ExpertsLayerTab(ExpertSession& session, QWidget* parent)
    : QWidget(parent),
      m_session(session),
      m_layers(new QComboBox),
      m_charts(new QBoxLayout(QBoxLayout::LeftToRight)),
      m_chart(new LayerChart(QStringLiteral("exp_layer_chart"))),
      m_stability(new StabilityChart(QStringLiteral("exp_layer_halves_chart"))),
      m_rows(new InfoView(QStringLiteral("exp_layer_view"))) {
    m_layers->setObjectName(QStringLiteral("exp_layer_combo"));
    m_layers->setAccessibleName(tr("Layer shown"));
    m_rows->setAccessibleName(tr("About this layer"));
    auto* label = new QLabel(tr("Layer"));
    label->setBuddy(m_layers);
    auto* top = new QHBoxLayout;
    top->setSpacing(space::controls);
    top->addWidget(label);
    top->addWidget(m_layers);
    top->addStretch(1);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, space::controls, 0, 0);
    layout->setSpacing(space::controls);
    layout->addLayout(top);
    m_charts->setSpacing(space::groups);
    m_charts->addWidget(m_chart, 3);
    m_charts->addWidget(m_stability, 2);
    layout->addLayout(m_charts, 1);
    layout->addWidget(m_rows);
    connect(m_layers, &QComboBox::activated, this, &ExpertsLayerTab::showLayer);
    connect(&m_session, &ExpertSession::planChanged, this, &ExpertsLayerTab::showLayer);
}

void ExpertsLayerTab::showScores(const LayerScores& scores, const QString& name) {
    m_scores = scores;
    m_name = name;
    const QVariant before = m_layers->currentData();
    const QSignalBlocker blocker(m_layers);
    m_layers->clear();
    for (const auto& [layer, row] : m_scores)
        m_layers->addItem(QString::number(layer), QVariant::fromValue<qlonglong>(layer));
    m_layers->setCurrentIndex(std::max(0, m_layers->findData(before)));
    showLayer();
}

void ExpertsLayerTab::chooseLayer(std::int64_t layer) {
    const int index = m_layers->findData(QVariant::fromValue<qlonglong>(layer));
    if (index < 0 || index == m_layers->currentIndex()) return;
    m_layers->setCurrentIndex(index);
    showLayer();
}

void ExpertsLayerTab::showLayer() {
    const auto scores = m_scores.find(m_layers->currentData().toLongLong());
    const ExpertDataPtr& known = m_session.data();
    if (!known || m_layers->currentIndex() < 0 || scores == m_scores.end() ||
        !m_session.plan().layers.contains(scores->first)) {
        m_chart->clear();
        m_stability->clear();
        m_rows->setRows({});
        return;
    }
    std::vector<LayerExpert> experts;
    for (std::size_t e = 0; e < scores->second.size(); ++e) {
        const auto id = static_cast<std::int32_t>(e);
        experts.push_back({id, scores->second[e], m_session.plan().keeps(scores->first, id),
                           m_session.plan().mergedInto(scores->first, id).has_value()});
    }
    m_chart->setExperts(std::move(experts), m_name, known->hasStats());
    showRows(scores->first);
    showHalves(scores->first);
}

void ExpertsLayerTab::arrange(bool isNarrow) {
    m_charts->setDirection(isNarrow ? QBoxLayout::TopToBottom : QBoxLayout::LeftToRight);
}

void ExpertsLayerTab::showHalves(std::int64_t layer) {
    const ExpertData& known = *m_session.data();
    if (!known.hasStats()) {
        m_stability->clear();
        return;
    }
    const LayerStats& stats = known.stats.layers.at(layer);
    const std::size_t experts = stats.count.size();
    if (stats.half_gated_norm_sum.size() < 2 * experts) {
        m_stability->clear();
        return;
    }
    const auto half = [&](std::size_t which) {
        std::vector<double> means(experts, 0.0);
        for (std::size_t e = 0; e < experts; ++e) {
            const auto count = static_cast<double>(stats.half_count[which * experts + e]);
            if (count > 0) means[e] = stats.half_gated_norm_sum[which * experts + e] / count;
        }
        return means;
    };
    m_stability->setHalves(half(0), half(1), m_session.plan().numKept(layer));
}

void ExpertsLayerTab::showRows(std::int64_t layer) {
    const ExpertData& known = *m_session.data();
    const std::int64_t kept = m_session.plan().numKept(layer);
    std::vector<InfoRow> rows{{QStringLiteral("kept"),
                               tr("Experts kept"),
                               tr("%1 of %2").arg(kept).arg(known.numExperts()),
                               false,
                               {}}};
    if (const auto& groups = m_session.plan().layers.at(layer)->groups; !groups.empty()) {
        std::size_t members = 0;
        for (const auto& group : groups) members += group.size() - 1;
        rows.push_back({QStringLiteral("merged"),
                        tr("Merged"),
                        tr("%1 experts into %2").arg(members).arg(groups.size()),
                        false,
                        {}});
    }
    if (known.hasStats()) {
        const ExpertMarks marks = marksOf(known, m_session.plan());
        const auto routed = known.config.moe_layers();
        const auto place = static_cast<std::size_t>(std::find(routed.begin(), routed.end(), layer) -
                                                    routed.begin());
        const auto experts = static_cast<std::ptrdiff_t>(known.numExperts());
        const auto first = marks.uncertain.begin() + static_cast<std::ptrdiff_t>(place) * experts;
        rows.push_back({QStringLiteral("mass"),
                        tr("Output kept"),
                        format::percent(marks.shareKept[place]),
                        false,
                        {}});
        rows.push_back({QStringLiteral("uncertain"), tr("Uncertain"),
                        tr("%1 experts").arg(std::count(first, first + experts, 1)), false,
                        tr("Two standard errors reach across the cut.")});
        const auto curve = stability_curve(known.stats.layers.at(layer), kept);
        if (!curve.empty()) {
            rows.push_back({QStringLiteral("stability"), tr("Half of the texts agrees"),
                            format::percent(curve.back()), false,
                            tr("Share of the experts that half of the texts and all of them would "
                               "both keep.")});
        }
    }
    m_rows->setRows(rows);
}

}  // namespace espalier::ui
