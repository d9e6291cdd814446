#include "ui/pages/experts_apply_sheet.h"

#include <QCheckBox>
#include <QLineEdit>
#include <QRadioButton>
#include <QVBoxLayout>
#include <algorithm>

#include "prune/explain_plan.h"
#include "ui/bridge/expert_session.h"
#include "ui/models/format.h"
#include "ui/widgets/banner.h"
#include "ui/widgets/field.h"
#include "ui/widgets/info_view.h"
#include "ui/widgets/text_label.h"

namespace espalier::ui {
namespace {

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

std::int64_t numMerged(const PlanState& plan) {
    std::int64_t members = 0;
    for (const auto& [layer, row] : plan.layers) {
        for (const auto& group : row->groups)
            members += static_cast<std::int64_t>(group.size()) - 1;
    }
    return members;
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
    : ExpertsRunSheet(services, QStringLiteral("dlgApply"),
                      tr("Remove experts from %1").arg(session.data()->modelName), parent),
      m_session(session),
      m_scores(scoresFor(session)) {
    buildLayout();
    showPlan();
}

void ExpertsApplySheet::buildLayout() {
    m_rows = new InfoView(partName("plan_view"));
    m_rows->setAccessibleName(tr("What is removed"));
    m_accept = new QCheckBox;
    m_accept->setObjectName(partName("accept_chk"));
    m_name = new QLineEdit(QStringLiteral("%1-%2").arg(
        m_session.data()->modelName,
        m_session.planName().isEmpty() ? tr("cut") : m_session.planName()));
    m_name->setObjectName(partName("name_edit"));
    content().addWidget(m_rows);
    content().addWidget(makeFormats());
    content().addWidget(m_accept);
    content().addWidget(new Field(tr("&Name of the run"), m_name,
                                  tr("The model stays as it is; the run writes a smaller one.")));
    addButtons();
}

QRadioButton* ExpertsApplySheet::addFormat(const char* part, const QString& text, QWidget& box) {
    auto* radio = new QRadioButton(text);
    radio->setObjectName(partName(part));
    box.layout()->addWidget(radio);
    connect(radio, &QRadioButton::toggled, this, &ExpertsApplySheet::showPlan);
    return radio;
}

QWidget* ExpertsApplySheet::makeFormats() {
    const PlanState& plan = m_session.plan();
    const Counts counts = countsOf(plan);
    const bool isUneven = counts.least != counts.most;
    const auto& router = m_session.data()->config.router;
    const std::uint64_t now = m_session.numbers(plan).bytes;
    const std::uint64_t filled = m_session.numbers(filledUp(plan, m_scores, router)).bytes;
    m_formats = new QWidget;
    auto* layout = new QVBoxLayout(m_formats);
    layout->setContentsMargins({});
    m_formatText = new TextLabel(
        TextKind::Body,
        plan.replaces()
            ? tr("This plan puts a constant in place of each removed expert. GGUF and the usual "
                 "config.json know no constants, so that only Espalier's own format can hold it.")
            : tr("GGUF and the usual config.json store one expert count for all layers. This plan "
                 "keeps %1 to %2.")
                  .arg(counts.least)
                  .arg(counts.most));
    layout->addWidget(m_formatText);
    m_fill = addFormat("fill_radio",
                       tr("&Fill up to %1 in each layer (+%2, best quality)")
                           .arg(counts.most)
                           .arg(format::fileSize(filled - std::min(filled, now))),
                       *m_formats);
    m_cut = addFormat("cut_radio", tr("C&ut all to %1").arg(counts.least), *m_formats);
    m_native = addFormat("native_radio",
                         isUneven ? tr("&Keep it as it is, in Espalier's own format")
                                  : tr("Write it in &Espalier's own format"),
                         *m_formats);
    m_nativeText = new TextLabel(
        TextKind::Secondary,
        tr("A folder that Espalier alone opens: here in Play and Evaluate, and on its command "
           "line. llama.cpp, transformers and vLLM refuse it, it cannot become a GGUF file, and "
           "it cannot be cut again."));
    m_nativeText->setObjectName(partName("native_label"));
    layout->addWidget(m_nativeText);
    const bool isFile = m_session.data()->model.endsWith(QLatin1String(".gguf"));
    m_fill->setVisible(!plan.replaces());
    m_cut->setVisible(!plan.replaces());
    m_native->setEnabled(!isFile);
    m_native->setToolTip(isFile ? tr("The model is a GGUF file, which cannot hold this. Open the "
                                     "folder that it was made from.")
                                : QString());
    (plan.replaces() ? m_native : m_fill)->setChecked(true);
    m_formats->setVisible(isUneven || plan.replaces());
    return m_formats;
}

PruneFormat ExpertsApplySheet::format() const {
    return m_native->isChecked() ? PruneFormat::Native : PruneFormat::Common;
}

EditResult ExpertsApplySheet::chosenPlan() const {
    const PlanState& plan = m_session.plan();
    const RouterConfig& router = m_session.data()->config.router;
    if (plan.replaces() && !m_native->isEnabled()) {
        return {.state = plan,
                .refusal = tr("A GGUF file cannot hold constants in place of experts. Open the "
                              "folder that it was made from, or choose by another criterion.")};
    }
    if ((plan.merges() || plan.replaces()) && !m_session.data()->hasStats()) {
        return {.state = plan,
                .refusal = tr("To write this plan takes the statistics that it was made from. "
                              "Choose or import them first.")};
    }
    if (isUniform(plan) || m_native->isChecked()) return {.state = plan};
    if (m_cut->isChecked()) return cutDown(plan, m_scores, router);
    EditResult result{.state = filledUp(plan, m_scores, router)};
    if (!isUniform(result.state)) {
        result.refusal =
            tr("Too many experts are forced out to fill every layer up. Clear some of "
               "them, or cut all to the smallest layer's number.");
    }
    return result;
}

void ExpertsApplySheet::showMass(const std::map<std::string, double>& taskMass,
                                 std::vector<InfoRow>& rows) {
    QStringList low;
    for (const auto& [task, mass] : taskMass) {
        const QString name = task.empty() ? tr("all texts") : QString::fromStdString(task);
        rows.push_back({QStringLiteral("task:") + QString::fromStdString(task),
                        name,
                        tr("%1 of the output kept").arg(format::percent(mass)),
                        false,
                        {}});
        if (mass < kLowestTaskMass) low.append(tr("%1 (%2)").arg(name, format::percent(mass)));
    }
    m_accept->setVisible(!low.isEmpty());
    m_accept->setText(tr("Take on that little is kept of: %1").arg(low.join(QStringLiteral(", "))));
}

void ExpertsApplySheet::showPlan() {
    const EditResult chosen = chosenPlan();
    const PlanNumbers numbers = m_session.numbers(chosen.state);
    const ExpertData& known = *m_session.data();
    const Counts counts = countsOf(chosen.state);
    const QString kept = counts.least == counts.most
                             ? QString::number(counts.most)
                             : tr("%1 to %2").arg(counts.least).arg(counts.most);
    const auto gone = numbers.allExperts - numbers.keptExperts;
    std::vector<InfoRow> rows{
        {QStringLiteral("experts"),
         tr("Experts"),
         (m_session.plan().replaces() ? tr("%1 of %2 become constants")
                                      : tr("%1 of %2 are removed"))
             .arg(gone)
             .arg(numbers.allExperts),
         false,
         {}},
        {QStringLiteral("layers"),
         tr("Each layer"),
         tr("%1 → %2").arg(QString::number(known.numExperts()), kept),
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
    if (const std::int64_t merged = numMerged(chosen.state); merged > 0) {
        rows.insert(rows.begin() + 1, {QStringLiteral("merged"),
                                       tr("Merged"),
                                       tr("%1 of them become part of those that stay").arg(merged),
                                       false,
                                       {}});
    }
    showMass(numbers.taskMass, rows);
    m_rows->setRows(rows);
    m_nativeText->setVisible(m_native->isChecked());
    if (chosen.isRefused()) {
        banner().showMessage(BannerKind::Warn, chosen.refusal);
    } else {
        banner().dismiss();
    }
}

bool ExpertsApplySheet::isReady() {
    const EditResult chosen = chosenPlan();
    if (chosen.isRefused()) {
        banner().showMessage(BannerKind::Warn, chosen.refusal);
        return false;
    }
    if (m_name->text().trimmed().isEmpty()) {
        banner().showMessage(BannerKind::Warn, tr("Give the run a name."));
        m_name->setFocus(Qt::OtherFocusReason);
        return false;
    }
    return true;
}

ApplyDraft ExpertsApplySheet::draft() const {
    ApplyDraft draft{.data = m_session.data(),
                     .plan = m_session.savedPlan(),
                     .name = m_name->text().trimmed().replace(QLatin1Char('/'), QLatin1Char('-')),
                     .accept = {},
                     .format = format()};
    draft.plan.state = chosenPlan().state;
    if (m_accept->isVisible() && m_accept->isChecked()) draft.accept.emplace_back("low_task_mass");
    return draft;
}

std::function<RunRequest()> ExpertsApplySheet::makeRun() const {
    return [draft = draft()] { return applyRun(draft); };
}

std::function<QString()> ExpertsApplySheet::makeCommand() const {
    return [draft = draft()] { return applyCommand(draft); };
}

}  // namespace espalier::ui
