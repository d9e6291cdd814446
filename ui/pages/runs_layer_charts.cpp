#include "ui/pages/runs_layer_charts.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QSignalBlocker>
#include <QVBoxLayout>
#include <chrono>

#include "ui/charts/expert_charts.h"
#include "ui/theme/metrics.h"

namespace espalier::ui {
namespace {

using namespace std::chrono_literals;
constexpr auto drawInterval = 100ms;

}  // namespace

RunLayerCharts::RunLayerCharts(QWidget* parent)
    : QWidget(parent),
      m_choice(new QComboBox),
      m_load(new LoadChart(QStringLiteral("run_load_chart"))),
      m_saliency(new SaliencyChart(QStringLiteral("run_saliency_chart"))) {
    m_choice->setObjectName(QStringLiteral("run_layer_combo"));
    m_choice->setAccessibleName(tr("Layer shown in the charts"));
    m_choice->setEnabled(false);
    m_drawTimer.setSingleShot(true);
    m_drawTimer.setInterval(drawInterval);
    connect(&m_drawTimer, &QTimer::timeout, this, &RunLayerCharts::showLayer);
    connect(m_choice, &QComboBox::activated, this, [this] {
        m_isChosen = true;
        showLayer();
    });
    auto* label = new QLabel(tr("La&yer"));
    label->setBuddy(m_choice);
    auto* top = new QHBoxLayout;
    top->addWidget(label);
    top->addWidget(m_choice);
    top->addStretch(1);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins({});
    layout->setSpacing(space::controls);
    layout->addLayout(top);
    layout->addWidget(m_load, 1);
    layout->addWidget(m_saliency, 1);
}

void RunLayerCharts::setLayer(const LayerMeasured& layer) {
    if (m_layers.insert_or_assign(layer.layer, layer).second) addChoice(layer.layer);
    if (!m_isChosen) {
        const QSignalBlocker blocker(m_choice);
        m_choice->setCurrentIndex(m_choice->findData(QVariant::fromValue<qlonglong>(layer.layer)));
    }
    if (!m_drawTimer.isActive()) m_drawTimer.start();
}

void RunLayerCharts::addChoice(std::int64_t layer) {
    const QSignalBlocker blocker(m_choice);
    int row = 0;
    while (row < m_choice->count() && m_choice->itemData(row).toLongLong() < layer) ++row;
    m_choice->insertItem(row, tr("layer %1").arg(layer), QVariant::fromValue<qlonglong>(layer));
    m_choice->setEnabled(true);
}

void RunLayerCharts::showLayer() {
    const auto found = m_layers.find(m_choice->currentData().toLongLong());
    if (m_choice->currentIndex() < 0 || found == m_layers.end()) return;
    const LayerMeasured& layer = found->second;
    m_load->setLoad(layer.load, layer.kept);
    m_saliency->setSaliency(layer.saliency, static_cast<std::int64_t>(layer.kept.size()));
}

void RunLayerCharts::clear() {
    m_drawTimer.stop();
    m_layers.clear();
    m_isChosen = false;
    const QSignalBlocker blocker(m_choice);
    m_choice->clear();
    m_choice->setEnabled(false);
    m_load->clear();
    m_saliency->clear();
}

}  // namespace espalier::ui
