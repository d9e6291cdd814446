#include "ui/pages/wizard_review_step.h"

#include <QFileInfo>
#include <QHBoxLayout>
#include <QPlainTextEdit>
#include <QVBoxLayout>
#include <cmath>

#include "pipeline/measured_selection.h"
#include "ui/models/format.h"
#include "ui/theme/metrics.h"
#include "ui/widgets/banner.h"
#include "ui/widgets/info_view.h"
#include "ui/widgets/push_button.h"
#include "ui/widgets/text_label.h"

namespace espalier::ui {
namespace {

constexpr int recipeLines = 14;

QString namesOf(const std::vector<DataSource>& sources) {
    QStringList names;
    for (const DataSource& source : sources)
        names.append(QString::fromStdString(source.path.filename().string()));
    return names.join(QStringLiteral(", "));
}

std::vector<InfoRow> sentences(const CompressDraft& draft) {
    const auto row = [](const char* id, const QString& label, const QString& value) {
        return InfoRow{QLatin1String(id), label, value, false, {}};
    };
    std::vector<InfoRow> rows{
        row("model", WizardReviewStep::tr("Model"), draft.model),
        row("calibrate", format::stageName(QStringLiteral("calibrate")),
            WizardReviewStep::tr("Read %1 tokens of %2 and measure every expert.")
                .arg(format::integer(draft.tokens), namesOf(draft.data))),
    };
    if (draft.keepExperts > 0) {
        rows.push_back(
            row("prune", format::stageName(QStringLiteral("prune")),
                draft.criterion.toStdString() == kMeasuredSelection
                    ? WizardReviewStep::tr("Keep %1 experts in each layer, those whose removal is "
                                           "measured to cost least; at most %2 min of trying.")
                          .arg(draft.keepExperts)
                          .arg(format::integer(std::llround(draft.searchSeconds / 60)))
                    : WizardReviewStep::tr(
                          "Keep %1 experts in each layer, those with the highest saliency (%2).")
                          .arg(draft.keepExperts)
                          .arg(draft.criterion)));
    }
    if (!draft.fileType.isEmpty()) {
        rows.push_back(row("quantize", format::stageName(QStringLiteral("quantize")),
                           WizardReviewStep::tr("Store the weights as %1 in one GGUF file.")
                               .arg(draft.fileType.toUpper())));
    }
    if (!draft.measured.empty()) {
        rows.push_back(row(
            "evaluate", format::stageName(QStringLiteral("evaluate")),
            WizardReviewStep::tr("Compare with the original on %1.").arg(namesOf(draft.measured))));
    }
    rows.push_back(row("name", WizardReviewStep::tr("Result"), draft.name));
    return rows;
}

}  // namespace

WizardReviewStep::WizardReviewStep(QWidget* parent)
    : WizardStep(parent),
      m_summary(new InfoView(QStringLiteral("wiz_review_summary_view"))),
      m_banner(new Banner(QStringLiteral("wiz_review_banner"))),
      m_command(new PushButton(QStringLiteral("wiz_review_cmd_btn"), tr("&Copy as command"))),
      m_json(new PushButton(QStringLiteral("wiz_review_json_btn"), tr("View reci&pe"))),
      m_recipe(new QPlainTextEdit) {
    m_command->withIcon(QStringLiteral("copy"));
    m_json->setCheckable(true);
    m_recipe->setObjectName(QStringLiteral("wiz_review_recipe_text"));
    m_recipe->setAccessibleName(tr("Recipe"));
    m_recipe->setReadOnly(true);
    m_recipe->setTabChangesFocus(true);
    m_recipe->setMinimumHeight(fontMetrics().lineSpacing() * recipeLines);
    m_recipe->hide();
    connect(m_json, &QPushButton::toggled, m_recipe, &QWidget::setVisible);
    connect(m_command, &QPushButton::clicked, this, &WizardReviewStep::commandRequested);
    auto* buttons = new QHBoxLayout;
    buttons->addWidget(m_command);
    buttons->addWidget(m_json);
    buttons->addStretch(1);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins({});
    layout->setSpacing(space::groups);
    layout->addWidget(m_banner);
    layout->addWidget(m_summary);
    layout->addLayout(buttons);
    layout->addWidget(m_recipe, 1);
    layout->addStretch(0);
}

void WizardReviewStep::showDraft(const CompressDraft& draft) {
    m_summary->setRows(sentences(draft));
    m_recipe->setFont(fixedFont(font()));
    m_recipe->setPlainText(QString::fromStdString(to_json(makeRecipe(draft)).dump(2)));
}

void WizardReviewStep::focusFirst() { m_command->setFocus(Qt::OtherFocusReason); }

void WizardReviewStep::setProblem(const QString& problem) {
    if (problem.isEmpty()) {
        m_banner->dismiss();
    } else {
        m_banner->showMessage(BannerKind::Warn, problem);
    }
}

void WizardReviewStep::showFailure(const QString& code, const QString& message,
                                   const QString& hint) {
    m_banner->showError(code, message, hint);
}

}  // namespace espalier::ui
