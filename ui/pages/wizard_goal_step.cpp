#include "ui/pages/wizard_goal_step.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QSignalBlocker>
#include <QSlider>
#include <QSpinBox>
#include <QVBoxLayout>
#include <cmath>

#include "pipeline/make_recipe.h"
#include "pipeline/measured_selection.h"
#include "quant/quant_plan.h"
#include "routing/criterion.h"
#include "ui/models/format.h"
#include "ui/theme/metrics.h"
#include "ui/widgets/field.h"
#include "ui/widgets/text_label.h"

namespace espalier::ui {
namespace {

constexpr int mostExperts = 4096;
constexpr int mostMinutes = 24 * 60;
constexpr int spinWidth = 160;

QString fromView(std::string_view text) {
    return QString::fromUtf8(text.data(), static_cast<qsizetype>(text.size()));
}

/// Stands for a criterion, too.
QString measured() { return fromView(kMeasuredSelection); }

QString presetName(std::string_view name) {
    if (name == "fast") return WizardGoalStep::tr("Fast");
    if (name == "balanced") return WizardGoalStep::tr("Balanced (default)");
    return WizardGoalStep::tr("Best");
}

}  // namespace

WizardGoalStep::WizardGoalStep(QWidget* parent) : WizardStep(parent) {
    buildLayout();
    fillChoices();
    connect(m_slider, &QSlider::valueChanged, m_experts, &QSpinBox::setValue);
    connect(m_experts, &QSpinBox::valueChanged, this, [this](int value) {
        m_wanted = m_model && value >= m_model->experts ? 0 : value;
        const QSignalBlocker blocker(m_slider);
        m_slider->setValue(value);
        describe();
        check();
        Q_EMIT changed();
    });
    connect(m_preset, &QComboBox::activated, this, &WizardGoalStep::takePreset);
    connect(m_criterion, &QComboBox::activated, this, &WizardGoalStep::takeCriterion);
    connect(m_search, &QSpinBox::valueChanged, this, [this] {
        showPreset();
        Q_EMIT changed();
    });
    connect(m_fileType, &QComboBox::activated, this, [this] {
        describe();
        Q_EMIT changed();
    });
}

void WizardGoalStep::buildLayout() {
    m_criterion = new QComboBox;
    m_criterion->setObjectName(QStringLiteral("wiz_goal_criterion_combo"));
    m_criterionField = new Field(tr("Experts are &scored by"), m_criterion);
    m_preset = new QComboBox;
    m_preset->setObjectName(QStringLiteral("wiz_goal_preset_combo"));
    m_presetField = new Field(tr("&Preset"), m_preset);
    m_search = new QSpinBox;
    m_search->setObjectName(QStringLiteral("wiz_goal_search_spin"));
    m_search->setRange(0, mostMinutes);
    m_search->setSuffix(tr(" min"));
    m_search->setMaximumWidth(spinWidth);
    m_searchField = new Field(tr("&Time for trying"), m_search,
                              tr("Once every ranking is measured, experts around the cut are "
                                 "exchanged for as long as it takes, or as this lasts."));
    m_fileType = new QComboBox;
    m_fileType->setObjectName(QStringLiteral("wiz_goal_type_combo"));
    m_fileTypeField = new Field(tr("Weights are stored &as"), m_fileType);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins({});
    layout->setSpacing(space::sections);
    layout->addWidget(makeKeep());
    layout->addWidget(m_presetField);
    layout->addWidget(m_criterionField);
    layout->addWidget(m_searchField);
    layout->addWidget(m_fileTypeField);
    layout->addStretch(1);
}

QWidget* WizardGoalStep::makeKeep() {
    m_experts = new QSpinBox;
    m_experts->setObjectName(QStringLiteral("wiz_goal_keep_spin"));
    m_experts->setRange(1, mostExperts);
    m_slider = new QSlider(Qt::Horizontal);
    m_slider->setObjectName(QStringLiteral("wiz_goal_keep_slider"));
    m_slider->setAccessibleName(tr("Experts kept in each layer, as a slider"));
    m_slider->setRange(1, mostExperts);
    m_keepField = new Field(tr("Experts &kept in each layer"), m_experts);
    m_experts->setMaximumWidth(spinWidth);
    auto* keep = new QWidget;
    auto* layout = new QVBoxLayout(keep);
    layout->setContentsMargins({});
    layout->setSpacing(space::controls);
    layout->addWidget(m_keepField);
    layout->addWidget(m_slider);
    return keep;
}

void WizardGoalStep::fillChoices() {
    for (const Preset& preset : presets()) {
        m_preset->addItem(presetName(preset.name), fromView(preset.name));
        m_preset->setItemData(m_preset->count() - 1, fromView(preset.description), Qt::ToolTipRole);
    }
    m_preset->addItem(tr("Own choice"));
    m_preset->setItemData(m_preset->count() - 1, tr("As set below."), Qt::ToolTipRole);
    m_criterion->addItem(tr("several, by measuring"), measured());
    m_criterion->setItemData(0,
                             tr("Each ranking is tried on text that calibration has not seen; the "
                                "one that moves the model's predictions least is improved on."),
                             Qt::ToolTipRole);
    for (const Criterion& criterion : criteria()) {
        const QString name = fromView(criterion.name);
        m_criterion->addItem(name, name);
        m_criterion->setItemData(m_criterion->count() - 1, fromView(criterion.description),
                                 Qt::ToolTipRole);
    }
    m_fileType->addItem(tr("unchanged (model folder)"), QString());
    for (const std::string& type : known_file_types()) {
        const QString name = QString::fromStdString(type);
        m_fileType->addItem(tr("%1 (GGUF)").arg(name.toUpper()), name);
    }
}

void WizardGoalStep::showDraft(const CompressDraft& draft) {
    if (draft.model.isEmpty()) m_model.reset();
    m_wanted = draft.keepExperts;
    showWanted();
    m_criterion->setCurrentIndex(m_criterion->findData(draft.criterion));
    m_stats = draft.stats;
    const QSignalBlocker blocker(m_search);
    m_search->setValue(static_cast<int>(std::lround(draft.searchSeconds / 60)));
    showPreset();
    m_fileType->setCurrentIndex(m_fileType->findData(draft.fileType));
    describe();
}

void WizardGoalStep::writeTo(CompressDraft& draft) const {
    draft.keepExperts = m_wanted;
    draft.criterion = m_criterion->currentData().toString();
    draft.searchSeconds = m_search->value() * 60.0;
    draft.stats = m_stats;
    draft.fileType = m_fileType->currentData().toString();
}

void WizardGoalStep::setModel(const ModelInfo& model) {
    m_model = model;
    // A number that means nothing for this model gives way to half of its experts.
    if (m_wanted < 0 || m_wanted > model.experts) m_wanted = model.experts / 2;
    showWanted();
    describe();
    Q_EMIT changed();
}

void WizardGoalStep::showWanted() {
    const QSignalBlocker blockers[]{QSignalBlocker(m_experts), QSignalBlocker(m_slider)};
    const int all = m_model ? std::max(1, static_cast<int>(m_model->experts)) : mostExperts;
    const int shown = m_wanted == 0 ? all : std::max(1, static_cast<int>(m_wanted));
    for (QWidget* control : std::initializer_list<QWidget*>{m_experts, m_slider})
        control->setEnabled(m_model && m_model->experts > 0);
    m_experts->setRange(1, all);
    m_slider->setRange(1, all);
    m_slider->setPageStep(std::max(1, all / 8));
    m_experts->setValue(shown);
    m_slider->setValue(shown);
}

void WizardGoalStep::takePreset() {
    const QString name = m_preset->currentData().toString();
    for (const Preset& preset : presets()) {
        if (fromView(preset.name) != name) continue;
        m_criterion->setCurrentIndex(m_criterion->findData(fromView(preset.criterion)));
        m_stats = fromView(preset.stats);
        const QSignalBlocker blocker(m_search);
        m_search->setValue(static_cast<int>(preset.search_seconds / 60));
    }
    showPreset();
    Q_EMIT changed();
}

void WizardGoalStep::takeCriterion() {
    if (m_criterion->currentData() != measured()) m_stats.clear();
    showPreset();
    Q_EMIT changed();
}

/// The preset that the settings below it amount to.
void WizardGoalStep::showPreset() {
    int index = m_preset->count() - 1;
    for (const Preset& preset : presets()) {
        const bool isMeasured = preset.criterion == kMeasuredSelection;
        if (m_criterion->currentData() == fromView(preset.criterion) &&
            m_stats == fromView(preset.stats) &&
            (!isMeasured || m_search->value() * 60 == static_cast<int>(preset.search_seconds)))
            index = m_preset->findData(fromView(preset.name));
    }
    m_preset->setCurrentIndex(index);
    m_searchField->setVisible(m_criterion->currentData() == measured());
    describe();
}

void WizardGoalStep::describe() {
    if (m_model && m_model->experts > 0) {
        const qint64 kept = m_experts->value();
        m_keepField->setHelp(tr("%1 of %2 experts stay (%3), %4 are removed. Each token uses %5.")
                                 .arg(kept)
                                 .arg(m_model->experts)
                                 .arg(format::percent(static_cast<double>(kept) /
                                                      static_cast<double>(m_model->experts)))
                                 .arg(m_model->experts - kept)
                                 .arg(m_model->topK));
    } else {
        m_keepField->setHelp(tr("Choose a model first: the range depends on it."));
    }
    m_presetField->setHelp(m_preset->currentData(Qt::ToolTipRole).toString());
    m_criterionField->setHelp(m_criterion->currentData(Qt::ToolTipRole).toString());
    m_fileTypeField->setHelp(
        m_fileType->currentData().toString().isEmpty()
            ? tr("The result is a model folder with the types of the original.")
            : tr("The result is one file that llama.cpp and Espalier load."));
}

QString WizardGoalStep::check() {
    QString problem;
    if (m_model && m_model->experts > 0 && m_experts->value() < m_model->topK) {
        problem =
            tr("Keep at least %1 experts: the model routes each token to %1.").arg(m_model->topK);
    }
    m_keepField->setProblem(problem);
    return problem;
}

void WizardGoalStep::focusFirst() { m_experts->setFocus(Qt::OtherFocusReason); }

}  // namespace espalier::ui
