#include "ui/pages/runs_layer_charts.h"

#include <chrono>

#include "ui/charts/expert_charts.h"

namespace espalier::ui {
namespace {

using namespace std::chrono_literals;
constexpr auto drawInterval = 100ms;

}  // namespace

RunLayerCharts::RunLayerCharts(QWidget* parent)
    : RunLayerCharts(new LoadChart(QStringLiteral("run_load_chart")),
                     new SaliencyChart(QStringLiteral("run_saliency_chart")), parent) {}

RunLayerCharts::RunLayerCharts(LoadChart* load, SaliencyChart* saliency, QWidget* parent)
    : ChosenCharts({.name = QStringLiteral("run_layer_combo"),
                    .label = tr("La&yer"),
                    .accessibleName = tr("Layer shown in the charts")},
                   {load, saliency}, parent),
      m_load(load),
      m_saliency(saliency) {
    m_drawTimer.setSingleShot(true);
    m_drawTimer.setInterval(drawInterval);
    connect(&m_drawTimer, &QTimer::timeout, this, &RunLayerCharts::showLayer);
    connect(this, &ChosenCharts::chosenChanged, this, &RunLayerCharts::showLayer);
}

void RunLayerCharts::setLayer(const LayerMeasured& layer) {
    m_layers.insert_or_assign(layer.layer, layer);
    setChoice(layer.layer, tr("layer %1").arg(layer.layer));
    if (!m_drawTimer.isActive()) m_drawTimer.start();
}

void RunLayerCharts::showLayer() {
    const auto found = m_layers.find(chosen().toLongLong());
    if (!chosen().isValid() || found == m_layers.end()) return;
    const LayerMeasured& layer = found->second;
    m_load->setLoad(layer.load, layer.kept);
    m_saliency->setSaliency(layer.saliency, static_cast<std::int64_t>(layer.kept.size()));
}

void RunLayerCharts::clear() {
    m_drawTimer.stop();
    m_layers.clear();
    clearChoices();
    m_load->clear();
    m_saliency->clear();
}

}  // namespace espalier::ui
