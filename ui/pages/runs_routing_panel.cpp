#include "ui/pages/runs_routing_panel.h"

#include "ui/models/format.h"

namespace espalier::ui {
namespace {

std::vector<RoutingLayer> layersOf(const Json& routing) {
    std::vector<RoutingLayer> layers;
    for (const Json& layer : routing.value("per_layer", Json::array())) {
        const double recall = layer.value("recall", 0.0);
        layers.push_back({layer.value("layer", std::int64_t{0}), recall,
                          layer.value("local_recall", recall), layer.value("restricted_kl", 0.0)});
    }
    return layers;
}

}  // namespace

RunRoutingPanel::RunRoutingPanel(QWidget* parent)
    : RunRoutingPanel(new RoutingChart(QStringLiteral("run_routing_chart")), parent) {}

RunRoutingPanel::RunRoutingPanel(RoutingChart* chart, QWidget* parent)
    : ChosenCharts({.name = QStringLiteral("run_routing_combo"),
                    .label = tr("Ro&uting after"),
                    .accessibleName = tr("Stage whose routing is shown")},
                   {chart}, parent),
      m_chart(chart) {
    connect(this, &ChosenCharts::chosenChanged, this, &RunRoutingPanel::showChosen);
    hide();
}

void RunRoutingPanel::setStage(std::size_t position, const QString& name, const Json& routing) {
    if (!routing.is_object() || !routing.value("verdict", Json()).is_string()) return;
    const auto key = static_cast<qlonglong>(position);
    m_stages.insert_or_assign(key, layersOf(routing));
    setChoice(key, tr("%1: %2").arg(name, format::routingVerdict(QString::fromStdString(
                                              routing.at("verdict").get<std::string>()))));
    showChosen();
    show();
}

void RunRoutingPanel::showChosen() {
    const auto found = m_stages.find(chosen().toLongLong());
    if (found != m_stages.end()) m_chart->setLayers(found->second);
}

void RunRoutingPanel::clear() {
    clearChoices();
    m_stages.clear();
    m_chart->setLayers({});
    hide();
}

}  // namespace espalier::ui
