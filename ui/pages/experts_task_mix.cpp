#include "ui/pages/experts_task_mix.h"

#include <QComboBox>
#include <QDoubleSpinBox>
#include <QGridLayout>
#include <QSignalBlocker>

#include "ui/theme/metrics.h"

namespace espalier::ui {
namespace {

constexpr double mostWeight = 100;
constexpr double step = 0.5;
constexpr int columns = 2;

}  // namespace

ExpertsTaskMix::ExpertsTaskMix(QWidget* parent)
    : QWidget(parent), m_choice(new QComboBox), m_grid(new QGridLayout(this)) {
    m_choice->setObjectName(QStringLiteral("exp_plan_tasks_combo"));
    m_choice->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    m_choice->setMinimumContentsLength(8);
    m_choice->addItem(tr("all alike"), Alike);
    m_choice->setItemData(Alike, tr("Every token counts, whatever its task."), Qt::ToolTipRole);
    m_choice->addItem(tr("by weight"), Weighted);
    m_choice->setItemData(Weighted,
                          tr("Experts are ranked for each task, and the ranks are weighed."),
                          Qt::ToolTipRole);
    m_choice->addItem(tr("weakest first"), Weakest);
    m_choice->setItemData(Weakest,
                          tr("The task that keeps least of its output keeps as much as it can. A "
                             "weight of 0 leaves a task out."),
                          Qt::ToolTipRole);
    connect(m_choice, &QComboBox::activated, this, [this] {
        showWeights();
        Q_EMIT changed();
    });
    m_grid->setContentsMargins({});
    m_grid->setSpacing(space::controls);
    hide();
}

void ExpertsTaskMix::setTasks(const std::vector<std::string>& tasks) {
    m_tasks = tasks.size() > 1 ? tasks : std::vector<std::string>();
    m_choice->setEnabled(!m_tasks.empty());
    m_choice->setToolTip(m_tasks.empty() ? tr("These statistics do not tell tasks apart.")
                                         : tr("How the tasks of the texts count."));
    while (m_weights.size() < m_tasks.size()) {
        const auto place = static_cast<int>(m_weights.size());
        auto* weight = new QDoubleSpinBox;
        weight->setObjectName(QStringLiteral("exp_plan_weight_%1_dspin").arg(place));
        weight->setRange(0, mostWeight);
        weight->setDecimals(1);
        weight->setSingleStep(step);
        weight->setKeyboardTracking(false);
        connect(weight, &QDoubleSpinBox::valueChanged, this, &ExpertsTaskMix::changed);
        m_grid->addWidget(weight, place / columns, place % columns);
        setTabOrder(m_weights.empty() ? static_cast<QWidget*>(m_choice) : m_weights.back(), weight);
        m_weights.push_back(weight);
    }
    for (std::size_t i = 0; i < m_weights.size(); ++i) {
        m_weights[i]->setVisible(i < m_tasks.size());
        if (i >= m_tasks.size()) continue;
        const QString task = QString::fromStdString(m_tasks[i]);
        m_weights[i]->setPrefix(task + QLatin1Char(' '));
        m_weights[i]->setAccessibleName(tr("Weight of %1").arg(task));
    }
    setMix(TaskMix::Sum, {});
}

void ExpertsTaskMix::setMix(TaskMix mix, const std::map<std::string, double>& weights) {
    const QSignalBlocker blocker(m_choice);
    m_choice->setCurrentIndex(mix == TaskMix::MaxMin ? Weakest
                              : weights.empty()      ? Alike
                                                     : Weighted);
    for (std::size_t i = 0; i < m_tasks.size(); ++i) {
        const QSignalBlocker still(m_weights[i]);
        const auto found = weights.find(m_tasks[i]);
        m_weights[i]->setValue(weights.empty() ? 1 : found == weights.end() ? 0 : found->second);
    }
    showWeights();
}

ExpertsTaskMix::Way ExpertsTaskMix::way() const {
    return m_tasks.empty() ? Alike : static_cast<Way>(m_choice->currentData().toInt());
}

TaskMix ExpertsTaskMix::mix() const { return way() == Weakest ? TaskMix::MaxMin : TaskMix::Sum; }

std::map<std::string, double> ExpertsTaskMix::weights() const {
    std::map<std::string, double> weights;
    if (way() == Alike) return weights;
    for (std::size_t i = 0; i < m_tasks.size(); ++i) weights[m_tasks[i]] = m_weights[i]->value();
    return weights;
}

void ExpertsTaskMix::showWeights() { setVisible(way() != Alike); }

}  // namespace espalier::ui
