#include "ui/pages/wizard_page.h"

#include <QClipboard>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QListWidget>
#include <QLocale>
#include <QSignalBlocker>
#include <QStackedWidget>
#include <QTime>
#include <QVBoxLayout>
#include <utility>

#include "base/json.h"
#include "store/database.h"
#include "ui/bridge/background_worker.h"
#include "ui/bridge/run_controller.h"
#include "ui/bridge/sample.h"
#include "ui/pages/wizard_cost_panel.h"
#include "ui/pages/wizard_data_step.h"
#include "ui/pages/wizard_goal_step.h"
#include "ui/pages/wizard_model_step.h"
#include "ui/pages/wizard_review_step.h"
#include "ui/theme/metrics.h"
#include "ui/widgets/push_button.h"
#include "ui/widgets/step_list.h"
#include "ui/widgets/text_label.h"
#include "ui/widgets/vertical_scroll.h"

namespace espalier::ui {
namespace {

using namespace std::chrono_literals;

constexpr auto saveDelay = 500ms;

QString shellQuoted(const std::filesystem::path& path) {
    QString text = QString::fromStdString(path.string());
    return QLatin1Char('\'') + text.replace(QLatin1Char('\''), QLatin1String("'\\''")) +
           QLatin1Char('\'');
}

}  // namespace

WizardPage::WizardPage(const Services& services, QWidget* parent)
    : Page(parent),
      m_services(services),
      m_modelStep(new WizardModelStep(services)),
      m_goalStep(new WizardGoalStep),
      m_dataStep(new WizardDataStep),
      m_reviewStep(new WizardReviewStep),
      m_list(new StepList(QStringLiteral("wiz_steps_list"))),
      m_stack(new QStackedWidget),
      m_cost(new WizardCostPanel(services.worker)) {
    setObjectName(QStringLiteral("wizardPage"));
    for (WizardStep* step :
         std::initializer_list<WizardStep*>{m_modelStep, m_goalStep, m_dataStep, m_reviewStep}) {
        addStep(step);
    }
    buildLayout();
    m_saveTimer.setSingleShot(true);
    m_saveTimer.setInterval(saveDelay);
    connect(&m_saveTimer, &QTimer::timeout, this, &WizardPage::saveDraft);
    connect(m_list, &QListWidget::currentRowChanged, this, &WizardPage::goTo);
    connect(m_modelStep, &WizardModelStep::modelRead, this, [this](const ModelInfo& model) {
        m_model = model;
        m_goalStep->setModel(model);
        takeChange();
    });
    connect(m_reviewStep, &WizardReviewStep::commandRequested, this, &WizardPage::copyCommand);
    connect(&m_services.runs, &RunController::stateChanged, this,
            [this] { goTo(m_stack->currentIndex()); });
    goTo(0);
}

void WizardPage::addStep(WizardStep* step) {
    step->setContentsMargins(space::focusRing, space::focusRing, space::groups, space::focusRing);
    m_stack->addWidget(new VerticalScroll(step));
    m_steps.push_back(step);
    m_visited.push_back(false);
    m_list->addStep(step->title());
    connect(step, &WizardStep::changed, this, &WizardPage::takeChange);
}

void WizardPage::buildLayout() {
    auto* middle = new QVBoxLayout;
    middle->addWidget(m_stack, 1);
    middle->addWidget(makeNavigation());
    m_left = new QVBoxLayout;
    m_left->addWidget(m_list);
    m_costScroll = new VerticalScroll(m_cost);
    m_costScroll->setObjectName(QStringLiteral("wiz_cost_scroll"));
    m_costScroll->setAccessibleName(tr("Predicted cost"));
    m_columns = new QHBoxLayout;
    m_columns->setSpacing(space::groups);
    m_columns->addLayout(m_left);
    m_columns->addLayout(middle, 1);
    m_columns->addWidget(m_costScroll);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(space::sections, space::pageMargin, space::sections,
                               space::pageMargin);
    layout->setSpacing(space::groups);
    layout->addWidget(makeHeader());
    layout->addLayout(m_columns, 1);
}

void WizardPage::arrange(bool isNarrow) {
    if (isNarrow) {
        m_left->addWidget(m_costScroll, 1);
    } else {
        m_columns->addWidget(m_costScroll);
    }
    // Below the steps it may have to be scrolled, with keys too.
    m_costScroll->setFocusPolicy(isNarrow ? Qt::TabFocus : Qt::NoFocus);
}

QWidget* WizardPage::makeHeader() {
    m_title = (new TextLabel(TextKind::Title))->asElided();
    m_saved = new TextLabel(TextKind::Caption);
    m_saved->setWordWrap(false);
    auto* header = new QWidget;
    auto* layout = new QHBoxLayout(header);
    layout->setContentsMargins({});
    layout->addWidget(m_title, 1);
    layout->addWidget(m_saved);
    return header;
}

QWidget* WizardPage::makeNavigation() {
    auto* discardButton = new PushButton(QStringLiteral("wiz_nav_discard_btn"), tr("&Discard"));
    discardButton->setToolTip(tr("Start over with an empty draft"));
    m_back = new PushButton(QStringLiteral("wiz_nav_back_btn"), tr("&Back"));
    m_next = (new PushButton(QStringLiteral("wiz_nav_next_btn"), tr("Ne&xt")))->asPrimary();
    m_start = (new PushButton(QStringLiteral("wiz_nav_start_btn"), tr("&Start run")))->asPrimary();
    connect(discardButton, &QPushButton::clicked, this, &WizardPage::discard);
    connect(m_back, &QPushButton::clicked, this, [this] { goTo(m_stack->currentIndex() - 1); });
    connect(m_next, &QPushButton::clicked, this, &WizardPage::next);
    connect(m_start, &QPushButton::clicked, this, &WizardPage::start);
    auto* navigation = new QWidget;
    auto* layout = new QHBoxLayout(navigation);
    layout->setContentsMargins({});
    layout->addWidget(discardButton);
    layout->addStretch(1);
    layout->addWidget(m_back);
    layout->addWidget(m_next);
    layout->addWidget(m_start);
    return navigation;
}

void WizardPage::refresh() {
    m_modelStep->refresh();
    if (!std::exchange(m_isLoaded, true)) loadDraft();
    Q_EMIT pageReady();
}

void WizardPage::goTo(int step) {
    if (step < 0 || step >= static_cast<int>(m_steps.size())) return;
    const int before = m_stack->currentIndex();
    if (before != step) m_visited[static_cast<std::size_t>(before)] = true;
    {
        const QSignalBlocker blocker(m_list);
        m_list->setCurrentRow(step);
    }
    m_stack->setCurrentIndex(step);
    const bool isLast = step + 1 == static_cast<int>(m_steps.size());
    m_back->setEnabled(step > 0);
    m_next->setVisible(!isLast);
    m_start->setVisible(isLast);
    const int problem = firstProblem();
    if (isLast) {
        m_reviewStep->showDraft(m_draft);
        QString text;
        if (m_services.runs.isBusy()) {
            text = tr("A run is going on. Start this one when it has ended.");
        } else if (problem >= 0) {
            text = m_steps[static_cast<std::size_t>(problem)]->check();
        }
        m_reviewStep->setProblem(text);
    }
    updateTitle();
}

int WizardPage::firstProblem() {
    int first = -1;
    for (std::size_t i = 0; i < m_steps.size(); ++i) {
        // A step that nobody saw yet is not wrong, it is open.
        const bool isSeen =
            m_visited[i] || m_stack->currentIndex() == static_cast<int>(m_steps.size()) - 1;
        if (!isSeen) continue;
        const bool isBroken = !m_steps[i]->check().isEmpty();
        if (isBroken && first < 0) first = static_cast<int>(i);
        const StepState state = isBroken       ? StepState::Problem
                                : m_visited[i] ? StepState::Done
                                               : StepState::Untouched;
        m_list->setStepState(static_cast<int>(i), state);
    }
    return first;
}

void WizardPage::takeChange() {
    CompressDraft draft = m_draft;
    for (const WizardStep* step : m_steps) step->writeTo(draft);
    if (draft.model == m_model.path) draft.contextLength = m_model.contextLength;
    if (draft.model != m_draft.model) {
        draft.keepExperts = CompressDraft::undecided;
        m_goalStep->showDraft(draft);
    }
    if (draft == m_draft) return;
    if (draft.name != m_draft.name) m_isNamed = true;
    m_draft = draft;
    if (!m_isNamed) {
        m_draft.name = m_draft.model.isEmpty() ? QString() : suggestedName(m_draft);
        m_modelStep->showDraft(m_draft);
    }
    m_saveTimer.start();
    m_cost->setDraft(m_draft);
    firstProblem();
    updateTitle();
    if (m_stack->currentIndex() + 1 == static_cast<int>(m_steps.size()))
        m_reviewStep->showDraft(m_draft);
}

void WizardPage::setDraft(const CompressDraft& draft) {
    m_draft = draft;
    m_isNamed = !draft.name.isEmpty() && draft.name != suggestedName(draft);
    for (WizardStep* step : m_steps) {
        const QSignalBlocker blocker(step);
        if (step != m_modelStep) step->showDraft(draft);
    }
    m_modelStep->showDraft(draft);  // reads the model, whose answer must reach the other steps
    m_cost->setDraft(m_draft);
    updateTitle();
}

void WizardPage::loadDraft() {
    m_services.worker.ask(
        this, "draft",
        [](TaskContext&) {
            const auto path = draftPath();
            return std::filesystem::exists(path) ? draftFromRecipe(load_recipe(path))
                                                 : CompressDraft{};
        },
        [this](const CompressDraft& draft) {
            if (m_draft.model.isEmpty() && !draft.model.isEmpty()) setDraft(draft);
        },
        [](const Failure&) {
        });  // a draft of another version is no reason to complain: it starts empty
}

void WizardPage::saveDraft() {
    m_services.worker.ask(
        this, "save",
        [recipe = makeRecipe(m_draft)](TaskContext&) {
            std::filesystem::create_directories(draftPath().parent_path());
            write_json_file(draftPath(), to_json(recipe));
            return true;
        },
        [this](bool) {
            m_saved->setText(
                tr("draft saved %1")
                    .arg(QLocale().toString(QTime::currentTime(), QLocale::ShortFormat)));
        },
        [this](const Failure& failure) { m_saved->setText(failure.message); });
}

void WizardPage::discard() {
    CompressDraft empty;
    empty.model.clear();
    m_draft = empty;
    m_model = {};
    m_isNamed = false;
    std::fill(m_visited.begin(), m_visited.end(), false);
    for (int i = 0; i < m_list->count(); ++i) m_list->setStepState(i, StepState::Untouched);
    m_modelStep->clear();
    setDraft(empty);
    m_saveTimer.start();
    goTo(0);
}

void WizardPage::openModel(const QString& path) {
    m_isLoaded = true;
    CompressDraft draft = m_draft;
    draft.model = path;
    draft.name.clear();
    draft.keepExperts = CompressDraft::undecided;
    setDraft(draft);
    m_isNamed = false;
    goTo(0);
}

void WizardPage::openRecipe(const QString& path) {
    m_isLoaded = true;
    m_services.worker.ask(
        this, "recipe",
        [file = path.toStdString()](TaskContext&) { return draftFromRecipe(load_recipe(file)); },
        [this](const CompressDraft& draft) {
            setDraft(draft);
            std::fill(m_visited.begin(), m_visited.end(), true);
            goTo(static_cast<int>(m_steps.size()) - 1);
        },
        [this](const Failure& failure) {
            goTo(static_cast<int>(m_steps.size()) - 1);
            m_reviewStep->showFailure(failure.code, failure.message, failure.hint);
        });
}

void WizardPage::addData(const QStringList& paths) {
    m_dataStep->addFiles(paths);
    goTo(2);
}

void WizardPage::openSample() {
    m_isLoaded = true;
    const auto folder = sampleFolder();
    if (!folder) {
        goTo(static_cast<int>(m_steps.size()) - 1);
        m_reviewStep->showFailure(QStringLiteral("E-FILE-01"),
                                  tr("The bundled sample is not there."),
                                  tr("Install the package espalier again."));
        return;
    }
    setDraft(sampleDraft(*folder));
    std::fill(m_visited.begin(), m_visited.end(), true);
    goTo(static_cast<int>(m_steps.size()) - 1);
}

void WizardPage::next() {
    WizardStep* step = m_steps[static_cast<std::size_t>(m_stack->currentIndex())];
    const QString problem = step->check();
    if (!problem.isEmpty()) {
        step->focusFirst();
        m_list->setStepState(m_stack->currentIndex(), StepState::Problem);
        Q_EMIT announced(problem);
        return;
    }
    goTo(m_stack->currentIndex() + 1);
    m_steps[static_cast<std::size_t>(m_stack->currentIndex())]->focusFirst();
}

void WizardPage::activatePrimary() {
    if (m_start->isVisible()) {
        start();
    } else {
        next();
    }
}

void WizardPage::start() {
    if (m_services.runs.isBusy()) return;
    std::fill(m_visited.begin(), m_visited.end(), true);
    const int problem = firstProblem();
    if (problem >= 0) {
        WizardStep* step = m_steps[static_cast<std::size_t>(problem)];
        goTo(problem);
        Q_EMIT announced(step->check());
        step->focusFirst();
        return;
    }
    m_services.worker.ask(
        this, "start",
        [name = m_draft.name, recipe = makeRecipe(m_draft)](TaskContext&) {
            return RunRequest{
                .recipe = recipe, .out = freeRunFolder(name), .library = library_path()};
        },
        [this](const RunRequest& request) {
            if (m_services.runs.isBusy()) return;
            m_services.runs.start(request);
            Q_EMIT runStarted(QString::fromStdString(request.out.string()));
        },
        [this](const Failure& failure) {
            m_reviewStep->showFailure(failure.code, failure.message, failure.hint);
        });
}

void WizardPage::copyCommand() {
    saveDraft();  // the command reads it
    m_services.worker.ask(
        this, "command",
        [name = m_draft.name](TaskContext&) {
            return QStringLiteral("espalier-cli run %1 --out %2")
                .arg(shellQuoted(draftPath()), shellQuoted(freeRunFolder(name)));
        },
        [this](const QString& command) {
            QGuiApplication::clipboard()->setText(command);
            Q_EMIT announced(tr("The command is in the clipboard."));
        },
        [this](const Failure& failure) {
            m_reviewStep->showFailure(failure.code, failure.message, failure.hint);
        });
}

void WizardPage::updateTitle() {
    m_title->setText(m_draft.name.isEmpty() ? tr("New compression")
                                            : tr("New compression: %1").arg(m_draft.name));
}

}  // namespace espalier::ui
