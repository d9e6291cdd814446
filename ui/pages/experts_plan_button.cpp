#include "ui/pages/experts_plan_button.h"

#include <QInputDialog>
#include <QMenu>
#include <filesystem>

#include "model/model_source.h"
#include "prune/diff_experts.h"
#include "ui/bridge/background_worker.h"
#include "ui/bridge/compress_draft.h"
#include "ui/bridge/expert_session.h"
#include "ui/widgets/file_dialogs.h"

namespace espalier::ui {

ExpertsPlanButton::ExpertsPlanButton(const Services& services, ExpertSession& session,
                                     QWidget* parent)
    : PushButton(QStringLiteral("exp_plan_file_btn"), {}, parent),
      m_services(services),
      m_session(session) {
    buildMenu();
    connect(&m_session, &ExpertSession::planFileChanged, this, &ExpertsPlanButton::showState);
    connect(&m_session, &ExpertSession::dataChanged, this, &ExpertsPlanButton::showState);
    showState();
}

QAction* ExpertsPlanButton::add(const QString& name, const QString& text,
                                void (ExpertsPlanButton::*act)()) {
    QAction* action = menu()->addAction(text, this, act);
    action->setObjectName(name);
    m_needPlan.append(action);
    return action;
}

void ExpertsPlanButton::buildMenu() {
    auto* all = new QMenu(this);
    all->setObjectName(QStringLiteral("exp_plan_menu"));
    setMenu(all);
    m_open = all->addMenu(tr("&Open"));
    m_open->setObjectName(QStringLiteral("exp_plan_open_menu"));
    m_compare = all->addMenu(tr("&Compare with"));
    m_compare->setObjectName(QStringLiteral("exp_plan_compare_menu"));
    connect(all, &QMenu::aboutToShow, this, &ExpertsPlanButton::fillPlans);
    all->addSeparator();
    add(QStringLiteral("act_plan_save"), tr("&Save"), &ExpertsPlanButton::save);
    add(QStringLiteral("act_plan_save_as"), tr("Save &as…"), &ExpertsPlanButton::saveAs);
    add(QStringLiteral("act_plan_duplicate"), tr("&Duplicate"), &ExpertsPlanButton::duplicate);
    add(QStringLiteral("act_plan_rename"), tr("&Rename…"), &ExpertsPlanButton::rename);
    add(QStringLiteral("act_plan_note"), tr("&Note…"), &ExpertsPlanButton::editNote);
    all->addSeparator();
    QMenu* cut = all->addMenu(tr("What a cut &model lacks"));
    cut->setObjectName(QStringLiteral("exp_plan_diff_menu"));
    cut->addAction(tr("Model &folder…"), this, [this] { openCutModel(false); });
    cut->addAction(tr("&GGUF file…"), this, [this] { openCutModel(true); });
    m_needPlan.append(cut->menuAction());
    all->addSeparator();
    add(QStringLiteral("act_plan_picture"), tr("Export &picture…"),
        &ExpertsPlanButton::pictureRequested);
    add(QStringLiteral("act_plan_table"), tr("Export &table…"), &ExpertsPlanButton::tableRequested);
}

void ExpertsPlanButton::showState() {
    const QString name = m_session.planName().isEmpty() ? tr("new") : m_session.planName();
    const QString mark = m_session.isModified() ? QStringLiteral("*") : QString();
    setText(tr("Plan: %1%2").arg(name, mark));
    setAccessibleName(m_session.isModified() ? tr("Plan %1, not saved").arg(name)
                                             : tr("Plan %1").arg(name));
    setToolTip(m_session.note());
    setEnabled(m_session.data() != nullptr);
}

void ExpertsPlanButton::fillPlans() {
    m_open->clear();
    m_compare->clear();
    QAction* file = m_open->addAction(tr("From &file…"), this, &ExpertsPlanButton::openFile);
    m_open->addSeparator();
    m_services.worker.ask(
        this, "plans",
        [known = m_session.data()](TaskContext&) {
            return known ? findPlans(*known) : std::vector<PlanFile>();
        },
        [this, file = QPointer<QAction>(file)](const std::vector<PlanFile>& plans) {
            if (!file) return;  // the menu was filled anew meanwhile
            for (const PlanFile& plan : plans) {
                m_open->addAction(plan.name, this,
                                  [this, path = plan.path] { m_session.load(path); });
                m_compare->addAction(plan.name, this,
                                     [this, path = plan.path] { compareWith(path); });
            }
            m_compare->setEnabled(!plans.empty());
        },
        [this](const Failure& failure) { Q_EMIT failed(failure); });
}

void ExpertsPlanButton::askForName(const QString& title, const QString& name,
                                   const std::function<void(const QString&)>& take) {
    auto* dialog = new QInputDialog(this);
    dialog->setObjectName(QStringLiteral("dlgPlanName"));
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setWindowTitle(title);
    dialog->setLabelText(tr("Name of the plan"));
    dialog->setTextValue(name);
    connect(dialog, &QInputDialog::textValueSelected, this, [take](const QString& text) {
        if (!text.trimmed().isEmpty()) take(text.trimmed());
    });
    dialog->open();
}

void ExpertsPlanButton::save() {
    if (!m_session.data()) return;
    if (m_session.planName().isEmpty()) {
        saveAs();
    } else {
        m_session.saveAs(m_session.planName());
    }
}

void ExpertsPlanButton::saveAs() {
    const QString name = m_session.planName().isEmpty()
                             ? tr("keep%1").arg(m_session.plan().settings.keep)
                             : m_session.planName();
    askForName(tr("Save plan"), freePlanName(*m_session.data(), name),
               [this](const QString& chosen) { m_session.saveAs(chosen); });
}

void ExpertsPlanButton::duplicate() {
    const QString name = m_session.planName().isEmpty() ? tr("plan") : m_session.planName();
    m_session.saveAs(freePlanName(*m_session.data(), name));
}

void ExpertsPlanButton::rename() {
    const QString before = m_session.planName();
    askForName(tr("Rename plan"), before, [this, before](const QString& chosen) {
        if (chosen == before) return;
        m_session.saveAs(chosen);
        if (before.isEmpty()) return;
        m_services.worker.run([known = m_session.data(), before](TaskContext&) {
            std::filesystem::remove(planPath(*known, before));
        });
    });
}

void ExpertsPlanButton::editNote() {
    auto* dialog = new QInputDialog(this);
    dialog->setObjectName(QStringLiteral("dlgPlanNote"));
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setWindowTitle(tr("Note of the plan"));
    dialog->setLabelText(tr("Why this plan is as it is"));
    dialog->setOption(QInputDialog::UsePlainTextEditForTextInput);
    dialog->setTextValue(m_session.note());
    connect(dialog, &QInputDialog::textValueSelected, &m_session, &ExpertSession::setNote);
    dialog->open();
}

void ExpertsPlanButton::openFile() {
    askForFiles(*this, tr("Open plan"), tr("Plans (*.json)"),
                [this](const QStringList& paths) { m_session.load(paths.value(0)); });
}

void ExpertsPlanButton::compareWith(const QString& path) {
    m_services.worker.ask(
        this, "compare",
        [known = m_session.data(), file = path.toStdString()](TaskContext&) {
            return loadPlan(*known, file);
        },
        [this](const SavedPlan& other) {
            Q_EMIT announced(
                tr("Against %1: %2")
                    .arg(other.name, differenceText(differenceOf(other.state, m_session.plan()))));
        },
        [this](const Failure& failure) { Q_EMIT failed(failure); });
}

void ExpertsPlanButton::openCutModel(bool isFile) {
    const QString title = tr("Choose a model that was cut from this one");
    if (isFile) {
        askForFiles(*this, title, tr("Models (*.gguf)"),
                    [this](const QStringList& paths) { readCutModel(paths.value(0)); });
    } else {
        askForFolder(*this, title, [this](const QString& path) { readCutModel(path); });
    }
}

void ExpertsPlanButton::readCutModel(const QString& path) {
    Q_EMIT announced(tr("Comparing the weights of both models…"));
    m_services.worker.ask(
        this, "diff",
        [known = m_session.data(), path](TaskContext& context) {
            const auto original = ModelSource::open(known->model.toStdString());
            const auto cut = ModelSource::open(path.toStdString());
            const auto diff = diff_experts(*original, *cut, {}, context.stop());
            return plan_of_diff(*original, diff);
        },
        [this, path](const ExpertPlan& plan) {
            PlanSettings settings = m_session.plan().settings;
            settings.keep = static_cast<std::int64_t>(plan.layers.begin()->second.kept.size());
            m_session.adopt(stateOf(plan, settings), tr("Take what %1 lacks").arg(modelName(path)));
        },
        [this](const Failure& failure) { Q_EMIT failed(failure); });
}

QString differenceText(const PlanDifference& difference) {
    if (difference.layers.empty()) return ExpertsPlanButton::tr("the same experts");
    QStringList layers;
    for (const std::int64_t layer : difference.layers) layers.append(QString::number(layer));
    return ExpertsPlanButton::tr("+%1 −%2 experts, layers %3")
        .arg(difference.added)
        .arg(difference.removed)
        .arg(layers.join(QStringLiteral(", ")));
}

}  // namespace espalier::ui
