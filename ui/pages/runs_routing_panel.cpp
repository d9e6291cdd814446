#include "ui/pages/runs_routing_panel.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QSignalBlocker>
#include <QVBoxLayout>

#include "ui/models/format.h"
#include "ui/theme/metrics.h"

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
    : QWidget(parent),
      m_choice(new QComboBox),
      m_chart(new RoutingChart(QStringLiteral("run_routing_chart"))) {
    m_choice->setObjectName(QStringLiteral("run_routing_combo"));
    m_choice->setAccessibleName(tr("Stage whose routing is shown"));
    connect(m_choice, &QComboBox::activated, this, [this] {
        m_isChosen = true;
        showChosen();
    });
    auto* label = new QLabel(tr("Ro&uting after"));
    label->setBuddy(m_choice);
    auto* top = new QHBoxLayout;
    top->addWidget(label);
    top->addWidget(m_choice);
    top->addStretch(1);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins({});
    layout->setSpacing(space::controls);
    layout->addLayout(top);
    layout->addWidget(m_chart, 1);
    hide();
}

void RunRoutingPanel::setStage(std::size_t position, const QString& name, const Json& routing) {
    if (!routing.is_object() || !routing.value("verdict", Json()).is_string()) return;
    const QString text = tr("%1: %2").arg(
        name,
        format::routingVerdict(QString::fromStdString(routing.at("verdict").get<std::string>())));
    const QSignalBlocker blocker(m_choice);
    const auto key = QVariant::fromValue<qulonglong>(position);
    int row = 0;
    while (row < m_choice->count() && m_choice->itemData(row).toULongLong() < position) ++row;
    if (m_stages.insert_or_assign(position, layersOf(routing)).second) {
        m_choice->insertItem(row, text, key);
    } else {
        m_choice->setItemText(row, text);
    }
    if (!m_isChosen) m_choice->setCurrentIndex(m_choice->count() - 1);
    showChosen();
    show();
}

void RunRoutingPanel::showChosen() {
    const auto found = m_stages.find(m_choice->currentData().toULongLong());
    if (found != m_stages.end()) m_chart->setLayers(found->second);
}

void RunRoutingPanel::clear() {
    const QSignalBlocker blocker(m_choice);
    m_choice->clear();
    m_stages.clear();
    m_isChosen = false;
    m_chart->setLayers({});
    hide();
}

}  // namespace espalier::ui
