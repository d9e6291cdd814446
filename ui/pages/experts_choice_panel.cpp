#include "ui/pages/experts_choice_panel.h"

#include <QBoxLayout>
#include <QCheckBox>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QGridLayout>
#include <QLabel>
#include <QSignalBlocker>
#include <QSlider>
#include <QSpinBox>
#include <cmath>

#include "prune/kept_counts.h"
#include "prune/merge_methods.h"
#include "routing/criterion.h"
#include "ui/bridge/expert_session.h"
#include "ui/models/format.h"
#include "ui/pages/experts_task_mix.h"
#include "ui/theme/metrics.h"
#include "ui/widgets/field.h"
#include "ui/widgets/text_label.h"

namespace espalier::ui {
namespace {

/// Steps of the slider that follow each other so quickly are one change.
constexpr qint64 pauseOfDragMs = 1000;
constexpr int mostProtected = 8;

QString textOf(std::string_view text) {
    return QString::fromUtf8(text.data(), static_cast<qsizetype>(text.size()));
}

}  // namespace

ExpertsChoicePanel::ExpertsChoicePanel(ExpertSession& session, QWidget* parent)
    : QWidget(parent), m_session(session) {
    buildLayout();
    connectControls();
    connect(&m_session, &ExpertSession::dataChanged, this, &ExpertsChoicePanel::showData);
    connect(&m_session, &ExpertSession::planChanged, this, &ExpertsChoicePanel::showPlan);
    connect(&m_session, &ExpertSession::choiceRefused, this, &ExpertsChoicePanel::showProblem);
    showData();
}

QWidget* ExpertsChoicePanel::makeKeepLine() {
    m_keep = new QSlider(Qt::Horizontal);
    m_keep->setObjectName(QStringLiteral("exp_plan_keep_slider"));
    m_keep->setAccessibleName(tr("Experts kept in each layer"));
    m_share = new QDoubleSpinBox;
    m_share->setObjectName(QStringLiteral("exp_plan_keep_dspin"));
    m_share->setAccessibleName(tr("Share of experts kept"));
    m_share->setRange(0, 100);
    m_share->setDecimals(1);
    m_share->setSuffix(tr(" %"));
    m_share->setKeyboardTracking(false);
    m_count = new TextLabel(TextKind::Secondary);
    m_count->setObjectName(QStringLiteral("exp_plan_count_label"));
    m_count->setWordWrap(false);
    auto* label = new QLabel(tr("&Keep"));
    label->setBuddy(m_keep);
    m_keep->setAccessibleName(tr("Experts kept in each layer"));
    auto* line = new QWidget;
    auto* layout = new QHBoxLayout(line);
    layout->setContentsMargins({});
    layout->setSpacing(space::controls);
    layout->addWidget(label);
    layout->addWidget(m_keep, 1);
    layout->addWidget(m_share);
    layout->addWidget(m_count);
    return line;
}

QWidget* ExpertsChoicePanel::makeFields() {
    const auto combo = [](const char* name) {
        auto* made = new QComboBox;
        made->setObjectName(QLatin1String(name));
        made->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
        made->setMinimumContentsLength(8);
        return made;
    };
    m_criterion = combo("exp_plan_criterion_combo");
    m_scope = combo("exp_plan_scope_combo");
    m_scope->addItem(tr("in each layer"), static_cast<int>(SelectScope::Layers));
    m_scope->addItem(tr("across layers"), static_cast<int>(SelectScope::Across));
    m_scope->setToolTip(tr("Across layers, those in which experts cost less lose more."));
    m_merge = combo("exp_plan_merge_combo");
    m_tasks = new ExpertsTaskMix;
    auto* fields = new QWidget;
    auto* grid = new QGridLayout(fields);
    grid->setContentsMargins({});
    grid->setSpacing(space::controls);
    grid->addWidget(new Field(tr("Criterion"), m_criterion), 0, 0);
    grid->addWidget(new Field(tr("Choose"), m_scope), 0, 1);
    grid->addWidget(new Field(tr("Those that go"), m_merge), 1, 0);
    grid->addWidget(new Field(tr("Tasks"), &m_tasks->choice()), 1, 1);
    grid->addWidget(m_tasks, 2, 0, 1, 2);
    grid->setColumnStretch(0, 1);
    grid->setColumnStretch(1, 1);
    return fields;
}

QWidget* ExpertsChoicePanel::makeRules() {
    m_protect = new QSpinBox;
    m_protect->setObjectName(QStringLiteral("exp_plan_protect_spin"));
    m_protect->setToolTip(
        tr("For each task and layer, its best experts stay whatever their "
           "score."));
    m_protect->setRange(0, mostProtected);
    m_uniform = new QCheckBox(tr("Same number in each layer"));
    m_uniform->setObjectName(QStringLiteral("exp_plan_uniform_chk"));
    m_uniform->setToolTip(
        tr("GGUF and config.json know one number of experts for all layers: "
           "smaller layers are filled up to the largest."));
    m_compensate = new QCheckBox(tr("Make up for lost probability"));
    m_compensate->setObjectName(QStringLiteral("exp_plan_compensate_chk"));
    m_compensate->setToolTip(
        tr("This model's gates are probabilities of all experts: they grow when "
           "others go. Outputs are scaled so that this evens out on the mean."));
    auto* label = new QLabel(tr("Protect best of each task"));
    label->setWordWrap(true);
    label->setBuddy(m_protect);
    auto* rules = new QWidget;
    auto* grid = new QGridLayout(rules);
    grid->setContentsMargins({});
    grid->setSpacing(space::controls);
    grid->addWidget(label, 0, 0);
    grid->addWidget(m_protect, 0, 1);
    grid->addWidget(m_uniform, 1, 0, 1, 2);
    grid->addWidget(m_compensate, 2, 0, 1, 2);
    grid->setColumnStretch(0, 1);
    return rules;
}

void ExpertsChoicePanel::buildLayout() {
    m_problem = new TextLabel(TextKind::Caption);
    m_problem->setObjectName(QStringLiteral("exp_plan_problem_label"));
    m_problem->hide();
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins({});
    layout->setSpacing(space::controls);
    layout->addWidget(makeKeepLine());
    layout->addWidget(makeFields());
    layout->addWidget(makeRules());
    layout->addWidget(m_problem);
    layout->addStretch(1);
}

void ExpertsChoicePanel::connectControls() {
    connect(m_keep, &QSlider::valueChanged, this, [this](int experts) {
        if (m_session.data()) keep(nearest_kept(experts, m_session.data()->config.router));
    });
    connect(m_share, &QDoubleSpinBox::valueChanged, this, [this](double percent) {
        if (!m_session.data()) return;
        const auto all = static_cast<double>(m_session.data()->numExperts());
        keep(nearest_kept(std::llround(all * percent / 100), m_session.data()->config.router));
    });
    connect(m_criterion, &QComboBox::activated, this, [this] { choose(); });
    connect(m_merge, &QComboBox::activated, this, [this] {
        // Some ways of merging choose by one criterion and no other.
        const std::string way = m_merge->currentData().toString().toStdString();
        const std::string_view own = way.empty() ? "" : find_merge_method(way).criterion;
        const int row = m_criterion->findData(textOf(own));
        if (row >= 0) m_criterion->setCurrentIndex(row);
        choose();
    });
    connect(m_tasks, &ExpertsTaskMix::changed, this, [this] { choose(); });
    connect(m_scope, &QComboBox::activated, this, [this] { choose(); });
    connect(m_uniform, &QCheckBox::clicked, this, [this] { choose(); });
    connect(m_compensate, &QCheckBox::clicked, this, [this] { choose(); });
    connect(m_protect, &QSpinBox::valueChanged, this, [this] { choose(); });
}

void ExpertsChoicePanel::showCriteria() {
    const ExpertData& known = *m_session.data();
    m_criterion->clear();
    for (const std::string& name : known.criteria) {
        m_criterion->addItem(QString::fromStdString(name), QString::fromStdString(name));
        m_criterion->setItemData(m_criterion->count() - 1, textOf(find_criterion(name).description),
                                 Qt::ToolTipRole);
    }
    m_merge->clear();
    m_merge->addItem(tr("are removed"), QString());
    const bool canMerge = known.canMerge();
    for (const MergeMethod& method : merge_methods()) {
        if (!canMerge) break;
        m_merge->addItem(tr("merge: %1").arg(textOf(method.name)), textOf(method.name));
        m_merge->setItemData(m_merge->count() - 1, textOf(method.description), Qt::ToolTipRole);
    }
    m_merge->setEnabled(canMerge);
    m_merge->setToolTip(canMerge ? tr("Whether experts that go become part of some that stay.")
                                 : tr("To merge experts takes statistics that were collected with "
                                      "what every criterion needs."));
    m_tasks->setTasks(known.stats.tasks);
}

void ExpertsChoicePanel::showData() {
    const ExpertDataPtr& known = m_session.data();
    const bool isUsable = known && known->hasStats();
    m_compensate->setVisible(isUsable && known->canCompensate());
    const QSignalBlocker blockers[]{QSignalBlocker(m_keep), QSignalBlocker(m_criterion),
                                    QSignalBlocker(m_merge)};
    setEnabled(isUsable);
    m_problem->hide();
    if (!isUsable) {
        m_criterion->clear();
        return;
    }
    showCriteria();
    const RouterConfig& router = known->config.router;
    m_keep->setRange(static_cast<int>(nearest_kept(router.top_k, router, router.top_k)),
                     static_cast<int>(router.num_experts));
    m_keep->setSingleStep(static_cast<int>(router.num_groups));
    m_keep->setPageStep(static_cast<int>(std::max<std::int64_t>(router.num_experts / 8, 1)));
    showPlan();
}

void ExpertsChoicePanel::showPlan() {
    if (!isEnabled() || !m_session.data()) return;
    const PlanSettings& shown = m_session.wantedSettings();
    const auto all = m_session.data()->numExperts();
    const QSignalBlocker blockers[]{QSignalBlocker(m_keep), QSignalBlocker(m_share),
                                    QSignalBlocker(m_protect)};
    m_keep->setValue(static_cast<int>(shown.keep));
    const double percent = 100.0 * static_cast<double>(shown.keep) / static_cast<double>(all);
    m_share->setValue(percent);
    m_count->setText(tr("%1 of %2").arg(shown.keep).arg(all));
    m_criterion->setCurrentIndex(m_criterion->findData(QString::fromStdString(shown.criterion)));
    m_scope->setCurrentIndex(m_scope->findData(static_cast<int>(shown.scope)));
    m_uniform->setChecked(shown.scope == SelectScope::Layers || shown.isUniform);
    m_uniform->setEnabled(shown.scope == SelectScope::Across);
    m_protect->setValue(static_cast<int>(shown.champions));
    m_compensate->setChecked(shown.compensatesLostMass);
    m_compensate->setEnabled(!find_criterion(shown.criterion).replaces);
    m_merge->setCurrentIndex(std::max(0, m_merge->findData(QString::fromStdString(shown.merge))));
    m_tasks->setMix(shown.taskMix, shown.taskWeights);
    m_problem->hide();
}

void ExpertsChoicePanel::showProblem(const Failure& failure) {
    showPlan();
    m_problem->setText(QStringLiteral("⚠ %1 %2").arg(failure.message, failure.hint));
    m_problem->show();
}

PlanSettings ExpertsChoicePanel::settings() const {
    PlanSettings settings = m_session.wantedSettings();
    settings.criterion = m_criterion->currentData().toString().toStdString();
    settings.scope = static_cast<SelectScope>(m_scope->currentData().toInt());
    if (m_uniform->isEnabled()) settings.isUniform = m_uniform->isChecked();
    settings.champions = m_protect->value();
    settings.compensatesLostMass = m_compensate->isChecked() && m_session.data()->canCompensate() &&
                                   !find_criterion(settings.criterion).replaces;
    settings.merge = m_merge->currentData().toString().toStdString();
    settings.taskMix = m_tasks->mix();
    settings.taskWeights = m_tasks->weights();
    return settings;
}

void ExpertsChoicePanel::choose(int drag) { m_session.choose(settings(), drag); }

void ExpertsChoicePanel::keep(std::int64_t experts) {
    PlanSettings wanted = settings();
    wanted.keep = experts;
    m_session.choose(wanted, currentDrag());
    const auto all = m_session.data()->numExperts();
    const QSignalBlocker blockers[]{QSignalBlocker(m_keep), QSignalBlocker(m_share)};
    m_keep->setValue(static_cast<int>(experts));
    m_share->setValue(100.0 * static_cast<double>(experts) / static_cast<double>(all));
    m_count->setText(tr("%1 of %2").arg(experts).arg(all));
}

int ExpertsChoicePanel::currentDrag() {
    const bool goesOn =
        m_sinceMove.isValid() && (m_keep->isSliderDown() || m_sinceMove.elapsed() < pauseOfDragMs);
    if (!goesOn) ++m_drag;
    m_sinceMove.start();
    return m_drag;
}

}  // namespace espalier::ui
