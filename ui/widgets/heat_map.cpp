#include "ui/widgets/heat_map.h"

#include <QHBoxLayout>
#include <QVBoxLayout>

#include "ui/theme/metrics.h"
#include "ui/widgets/heat_legend.h"
#include "ui/widgets/heat_margin.h"
#include "ui/widgets/heat_overview.h"
#include "ui/widgets/heat_view.h"

namespace espalier::ui {

HeatMap::HeatMap(const QString& name, ExpertMatrixModel& model, QWidget* parent)
    : QWidget(parent), m_view(new HeatView(name)) {
    m_view->setMatrixModel(&model);
    m_overview = new HeatOverview(*m_view, this);
    m_legend = new HeatLegend(*m_view, this);
    auto* rows = new QHBoxLayout;
    rows->setSpacing(0);
    rows->addWidget(m_view, 1);
    rows->addWidget(new HeatMargin(*m_view));
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins({});
    layout->setSpacing(space::inGroup);
    layout->addWidget(m_overview);
    layout->addLayout(rows, 1);
    layout->addWidget(m_legend);
    layout->addStretch(0);
}

}  // namespace espalier::ui
