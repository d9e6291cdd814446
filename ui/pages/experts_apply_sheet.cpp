#include "ui/pages/experts_apply_sheet.h"

#include <QCheckBox>
#include <QClipboard>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QLineEdit>
#include <QRadioButton>
#include <QVBoxLayout>
#include <algorithm>

#include "prune/explain_plan.h"
#include "ui/bridge/background_worker.h"
#include "ui/bridge/expert_session.h"
#include "ui/bridge/run_controller.h"
#include "ui/models/format.h"
#include "ui/theme/metrics.h"
#include "ui/widgets/banner.h"
#include "ui/widgets/field.h"
#include "ui/widgets/info_view.h"
#include "ui/widgets/push_button.h"
#include "ui/widgets/text_label.h"

namespace espalier::ui {
namespace {

constexpr int leastWidth = 560;

struct Counts {
    std::int64_t least = 0;
    std::int64_t most = 0;
};

Counts countsOf(const PlanState& plan) {
    Counts counts{std::numeric_limits<std::int64_t>::max(), 0};
    for (const auto& [layer, row] : plan.layers) {
        const auto kept = static_cast<std::int64_t>(row->kept.size());
        counts = {std::min(counts.least, kept), std::max(counts.most, kept)};
    }
    return counts;
}

/// By what experts are put back or taken out to make layers equal.
LayerScores scoresFor(const ExpertSession& session) {
    const ExpertData& data = *session.data();
    const std::string& criterion = session.plan().settings.criterion;
    return data.hasStats() && data.hasCriterion(criterion) ? data.scores(criterion)
                                                           : data.routerNorms;
}

}  // namespace

ExpertsApplySheet::ExpertsApplySheet(const Services& services, const ExpertSession& session,
                                     QWidget* parent)
    : QDialog(parent), m_services(services), m_session(session), m_scores(scoresFor(session)) {
    setObjectName(QStringLiteral("dlgApply"));
    setWindowTitle(tr("Remove experts from %1").arg(session.data()->modelName));
    setAttribute(Qt::WA_DeleteOnClose);
    setMinimumWidth(leastWidth);
    buildLayout();
    showPlan();
}

void ExpertsApplySheet::buildLayout() {
    m_banner = new Banner(QStringLiteral("dlgApply_banner"));
    m_rows = new InfoView(QStringLiteral("dlgApply_plan_view"));
    m_rows->setAccessibleName(tr("What is removed"));
    m_accept = new QCheckBox;
    m_accept->setObjectName(QStringLiteral("dlgApply_accept_chk"));
    m_name = new QLineEdit(QStringLiteral("%1-%2").arg(
        m_session.data()->modelName,
        m_session.planName().isEmpty() ? tr("cut") : m_session.planName()));
    m_name->setObjectName(QStringLiteral("dlgApply_name_edit"));
    auto* layout = new QVBoxLayout(this);
    layout->setSpacing(space::groups);
    layout->addWidget(m_banner);
    layout->addWidget(m_rows);
    layout->addWidget(makeUniform());
    layout->addWidget(m_accept);
    layout->addWidget(new Field(tr("&Name of the run"), m_name,
                                tr("The model stays as it is; the run writes a smaller one.")));
    layout->addLayout(makeButtons());
}

QWidget* ExpertsApplySheet::makeUniform() {
    const Counts counts = countsOf(m_session.plan());
    m_uniformText = new TextLabel(
        TextKind::Body, tr("GGUF and the usual config.json store one expert count for all layers. "
                           "This plan keeps %1 to %2.")
                            .arg(counts.least)
                            .arg(counts.most));
    const std::uint64_t now = m_session.numbers(m_session.plan()).bytes;
    const auto router = m_session.data()->config.router;
    const std::uint64_t filled =
        m_session.numbers(filledUp(m_session.plan(), m_scores, router)).bytes;
    m_fill = new QRadioButton(tr("&Fill up to %1 in each layer (+%2, best quality)")
                                  .arg(counts.most)
                                  .arg(format::fileSize(filled - std::min(filled, now))));
    m_fill->setObjectName(QStringLiteral("dlgApply_fill_radio"));
    m_fill->setChecked(true);
    m_cut = new QRadioButton(tr("C&ut all to %1").arg(counts.least));
    m_cut->setObjectName(QStringLiteral("dlgApply_cut_radio"));
    connect(m_fill, &QRadioButton::toggled, this, &ExpertsApplySheet::showPlan);
    m_uniform = new QWidget;
    auto* layout = new QVBoxLayout(m_uniform);
    layout->setContentsMargins({});
    layout->addWidget(m_uniformText);
    layout->addWidget(m_fill);
    layout->addWidget(m_cut);
    m_uniform->setVisible(counts.least != counts.most);
    return m_uniform;
}

QLayout* ExpertsApplySheet::makeButtons() {
    auto* copy = (new PushButton(QStringLiteral("dlgApply_copy_btn"), tr("&Copy as command")))
                     ->withIcon(QStringLiteral("copy"));
    auto* cancel = new PushButton(QStringLiteral("dlgApply_cancel_btn"), tr("Cancel"));
    auto* start =
        (new PushButton(QStringLiteral("dlgApply_start_btn"), tr("&Start run")))->asPrimary();
    start->setDefault(true);
    connect(copy, &QPushButton::clicked, this, &ExpertsApplySheet::copyCommand);
    connect(cancel, &QPushButton::clicked, this, &QDialog::reject);
    connect(start, &QPushButton::clicked, this, &ExpertsApplySheet::start);
    auto* buttons = new QHBoxLayout;
    buttons->addWidget(copy);
    buttons->addStretch(1);
    buttons->addWidget(cancel);
    buttons->addWidget(start);
    return buttons;
}

EditResult ExpertsApplySheet::chosenPlan() const {
    const PlanState& plan = m_session.plan();
    if (isUniform(plan)) return {.state = plan};
    const RouterConfig& router = m_session.data()->config.router;
    if (m_cut->isChecked()) return cutDown(plan, m_scores, router);
    EditResult result{.state = filledUp(plan, m_scores, router)};
    if (!isUniform(result.state)) {
        result.refusal =
            tr("Too many experts are forced out to fill every layer up. Clear some of "
               "them, or cut all to the smallest layer's number.");
    }
    return result;
}

void ExpertsApplySheet::showPlan() {
    const EditResult chosen = chosenPlan();
    const PlanNumbers numbers = m_session.numbers(chosen.state);
    const ExpertData& known = *m_session.data();
    std::vector<InfoRow> rows{
        {QStringLiteral("experts"),
         tr("Experts"),
         tr("%1 of %2 are removed")
             .arg(numbers.allExperts - numbers.keptExperts)
             .arg(numbers.allExperts),
         false,
         {}},
        {QStringLiteral("layers"),
         tr("Each layer"),
         tr("%1 → %2").arg(known.numExperts()).arg(countsOf(chosen.state).most),
         false,
         {}},
        {QStringLiteral("size"),
         tr("Size"),
         tr("%1 → %2").arg(format::fileSize(known.modelBytes),
                           format::estimated(format::fileSize(numbers.bytes))),
         true,
         {}},
        {QStringLiteral("disk"),
         tr("Disk needed"),
         format::estimated(format::fileSize(numbers.bytes)),
         true,
         {}}};
    QStringList low;
    for (const auto& [task, mass] : numbers.taskMass) {
        const QString name = task.empty() ? tr("all texts") : QString::fromStdString(task);
        rows.push_back({QStringLiteral("task:") + QString::fromStdString(task),
                        name,
                        tr("%1 of the output kept").arg(format::percent(mass)),
                        false,
                        {}});
        if (mass < kLowestTaskMass) low.append(tr("%1 (%2)").arg(name, format::percent(mass)));
    }
    m_rows->setRows(rows);
    m_accept->setVisible(!low.isEmpty());
    m_accept->setText(tr("Take on that little is kept of: %1").arg(low.join(QStringLiteral(", "))));
    if (chosen.isRefused()) {
        m_banner->showMessage(BannerKind::Warn, chosen.refusal);
    } else {
        m_banner->dismiss();
    }
}

bool ExpertsApplySheet::isReady() {
    const EditResult chosen = chosenPlan();
    if (chosen.isRefused()) {
        m_banner->showMessage(BannerKind::Warn, chosen.refusal);
        return false;
    }
    if (m_name->text().trimmed().isEmpty()) {
        m_banner->showMessage(BannerKind::Warn, tr("Give the run a name."));
        m_name->setFocus(Qt::OtherFocusReason);
        return false;
    }
    return true;
}

ApplyDraft ExpertsApplySheet::draft() const {
    ApplyDraft draft{.data = m_session.data(),
                     .plan = m_session.savedPlan(),
                     .name = m_name->text().trimmed().replace(QLatin1Char('/'), QLatin1Char('-')),
                     .accept = {}};
    draft.plan.state = chosenPlan().state;
    if (m_accept->isVisible() && m_accept->isChecked()) draft.accept.emplace_back("low_task_mass");
    return draft;
}

void ExpertsApplySheet::start() {
    if (!isReady()) return;
    if (m_services.runs.isBusy()) {
        m_banner->showMessage(BannerKind::Warn,
                              tr("A run is going on. Start this one when it has ended."));
        return;
    }
    m_services.worker.ask(
        this, "start", [draft = draft()](TaskContext&) { return applyRun(draft); },
        [this](const RunRequest& request) {
            if (m_services.runs.isBusy()) return;
            m_services.runs.start(request);
            Q_EMIT started(QString::fromStdString(request.out.string()));
            accept();
        },
        [this](const Failure& failure) { showFailure(failure); });
}

void ExpertsApplySheet::copyCommand() {
    if (!isReady()) return;
    m_services.worker.ask(
        this, "command", [draft = draft()](TaskContext&) { return applyCommand(draft); },
        [](const QString& command) { QGuiApplication::clipboard()->setText(command); },
        [this](const Failure& failure) { showFailure(failure); });
}

void ExpertsApplySheet::showFailure(const Failure& failure) {
    m_banner->showError(failure.code, failure.message, failure.hint);
}

}  // namespace espalier::ui
