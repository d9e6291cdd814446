#include "ui/pages/wizard_cost_panel.h"

#include <QVBoxLayout>
#include <chrono>

#include "ui/bridge/background_worker.h"
#include "ui/models/format.h"
#include "ui/widgets/info_view.h"
#include "ui/widgets/text_label.h"

namespace espalier::ui {
namespace {

using namespace std::chrono_literals;

constexpr auto askDelay = 150ms;
constexpr int leastWidth = 230;

}  // namespace

WizardCostPanel::WizardCostPanel(BackgroundWorker& worker, QWidget* parent)
    : Card(parent),
      m_worker(worker),
      m_rows(new InfoView(QStringLiteral("wiz_cost_view"))),
      m_note(new TextLabel(TextKind::Caption)) {
    m_rows->setAccessibleName(tr("Predicted cost"));
    setMinimumWidth(leastWidth);
    setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Expanding);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins({});
    layout->addWidget(new TextLabel(TextKind::Heading, tr("Cost")));
    layout->addWidget(m_rows);
    layout->addWidget(m_note);
    layout->addStretch(1);
    m_timer.setSingleShot(true);
    m_timer.setInterval(askDelay);
    connect(&m_timer, &QTimer::timeout, this, &WizardCostPanel::ask);
    ask();
}

void WizardCostPanel::setDraft(const CompressDraft& draft) {
    m_draft = draft;
    m_timer.start();
}

void WizardCostPanel::ask() {
    // Without a model too, so that the answer to an earlier question becomes void.
    m_worker.ask(
        this, "cost",
        [draft = m_draft](TaskContext&) {
            return draft.model.isEmpty() ? std::optional<CostEstimate>() : estimateCost(draft);
        },
        [this](const std::optional<CostEstimate>& cost) {
            if (cost) {
                showCost(*cost);
            } else {
                showNote(tr("What the run will take appears here once you choose a model."));
            }
        },
        [this](const Failure& failure) { showNote(failure.message); });
}

void WizardCostPanel::showNote(const QString& note) {
    m_rows->setRows({});
    m_note->setText(note);
}

void WizardCostPanel::showCost(const CostEstimate& cost) {
    const PlanEstimate& plan = cost.plan;
    const auto estimate = [](const char* id, const QString& label, const QString& value) {
        return InfoRow{QLatin1String(id), label, format::estimated(value), true, {}};
    };
    m_rows->setRows({
        {QStringLiteral("before"), tr("Now"), format::fileSize(plan.original_bytes), false, {}},
        estimate("size", tr("Result"), format::fileSize(plan.result_bytes)),
        {QStringLiteral("experts"),
         tr("Experts"),
         tr("%1 → %2").arg(plan.experts_before).arg(plan.experts_after),
         false,
         {}},
        estimate("time", tr("Time"), format::duration(plan.seconds)),
        estimate("memory", tr("Memory"),
                 tr("%1, %2 free")
                     .arg(format::memory(plan.peak_bytes), format::memory(cost.memoryFreeBytes))),
        estimate("disk", tr("Disk"),
                 tr("%1, %2 free")
                     .arg(format::fileSize(plan.disk_bytes), format::fileSize(cost.diskFreeBytes))),
        {QStringLiteral("network"), tr("Network"), tr("none"), false, {}},
    });
    QString note = tr("Time and memory are rough: within a factor of three.");
    if (plan.disk_bytes > cost.diskFreeBytes)
        note = tr("The disk does not have room for this run.");
    if (plan.peak_bytes > cost.memoryFreeBytes)
        note = tr("This run needs more memory than is free.");
    m_note->setText(note);
}

}  // namespace espalier::ui
