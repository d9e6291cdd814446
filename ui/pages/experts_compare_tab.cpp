#include "ui/pages/experts_compare_tab.h"

#include <QComboBox>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QLabel>
#include <QSignalBlocker>
#include <QVBoxLayout>

#include "ui/bridge/background_worker.h"
#include "ui/bridge/expert_session.h"
#include "ui/models/plan_matrix.h"
#include "ui/pages/experts_plan_button.h"
#include "ui/theme/metrics.h"
#include "ui/widgets/file_dialogs.h"
#include "ui/widgets/heat_map.h"
#include "ui/widgets/heat_view.h"
#include "ui/widgets/text_label.h"

namespace espalier::ui {
namespace {

/// What an entry of the list leads to.
enum Entry { Hint, StatsEntry, PlanEntry, FileEntry };
constexpr int entryRole = Qt::UserRole + 2;

}  // namespace

ExpertsCompareTab::ExpertsCompareTab(const Services& services, ExpertSession& session,
                                     QWidget* parent)
    : QWidget(parent),
      m_services(services),
      m_session(session),
      m_model(new ExpertMatrixModel(this)) {
    buildLayout();
    connect(m_with, &QComboBox::activated, this, &ExpertsCompareTab::takeChoice);
    connect(&m_session, &ExpertSession::dataChanged, this, [this] {
        m_kind = Kind::Nothing;
        m_other.reset();
        fill();
        showDifference();
    });
    connect(&m_session, &ExpertSession::planFileChanged, this, &ExpertsCompareTab::fill);
    connect(&m_session, &ExpertSession::planChanged, this, [this] {
        if (m_kind == Kind::Plan) showDifference();
    });
    showDifference();
}

void ExpertsCompareTab::buildLayout() {
    m_with = new QComboBox;
    m_with->setObjectName(QStringLiteral("exp_compare_with_combo"));
    m_with->setAccessibleName(tr("Compare with"));
    m_with->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    m_with->setMinimumContentsLength(24);
    m_text = new TextLabel(TextKind::Secondary);
    m_text->setObjectName(QStringLiteral("exp_compare_label"));
    auto* map = new HeatMap(QStringLiteral("exp_compare_heat_view"), *m_model);
    m_view = &map->view();
    m_view->setAccessibleName(tr("Differences by layer and expert"));
    auto* label = new QLabel(tr("Compare with"));
    label->setBuddy(m_with);
    auto* top = new QHBoxLayout;
    top->setSpacing(space::controls);
    top->addWidget(label);
    top->addWidget(m_with);
    top->addStretch(1);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, space::controls, 0, 0);
    layout->setSpacing(space::controls);
    layout->addLayout(top);
    layout->addWidget(m_text);
    layout->addWidget(map, 1);
    layout->addStretch(0);
}

void ExpertsCompareTab::setSources(const std::vector<StatsSource>& sources) {
    m_sources = sources;
    fill();
}

void ExpertsCompareTab::fill() {
    m_services.worker.ask(
        this, "plans",
        [known = m_session.data()](TaskContext&) {
            return known ? findPlans(*known) : std::vector<PlanFile>();
        },
        [this](const std::vector<PlanFile>& plans) {
            const QSignalBlocker blocker(m_with);
            const QVariant before = m_with->currentData();
            m_with->clear();
            m_with->addItem(tr("Nothing"));
            const auto add = [this](const QString& text, const QString& path, Entry entry) {
                m_with->addItem(text, path);
                m_with->setItemData(m_with->count() - 1, entry, entryRole);
                m_with->setItemData(m_with->count() - 1, path, Qt::ToolTipRole);
            };
            for (const StatsSource& source : m_sources) {
                if (m_session.data() && source.path == m_session.data()->statsPath) continue;
                const QFileInfo from(source.runFolder.isEmpty() ? source.path : source.runFolder);
                add(tr("statistics: %1").arg(from.completeBaseName()), source.path, StatsEntry);
            }
            for (const PlanFile& plan : plans)
                add(tr("plan: %1").arg(plan.name), plan.path, PlanEntry);
            add(tr("Other statistics…"), {}, FileEntry);
            m_with->setCurrentIndex(std::max(0, m_with->findData(before)));
        },
        [this](const Failure& failure) { Q_EMIT failed(failure); });
}

void ExpertsCompareTab::takeChoice() {
    const QString path = m_with->currentData().toString();
    switch (m_with->currentData(entryRole).toInt()) {
        case StatsEntry:
            compareWithStats(path);
            break;
        case PlanEntry:
            compareWithPlan(path);
            break;
        case FileEntry:
            chooseFile();
            break;
        default:
            m_kind = Kind::Nothing;
            showDifference();
            break;
    }
}

void ExpertsCompareTab::chooseFile() {
    askForFiles(*this, tr("Choose statistics to compare with"), tr("Statistics (*.safetensors)"),
                [this](const QStringList& paths) { compareWithStats(paths.value(0)); });
}

void ExpertsCompareTab::compareWithStats(const QString& path) {
    if (!m_session.data()) return;
    m_services.worker.ask(
        this, "other",
        [request = ExpertDataRequest{.model = m_session.data()->model, .stats = path, .data = {}}](
            TaskContext&) { return readExpertData(request); },
        [this, path](const ExpertDataPtr& other) {
            m_kind = Kind::Stats;
            m_other = other;
            m_otherName = QFileInfo(path).completeBaseName();
            showDifference();
        },
        [this](const Failure& failure) { Q_EMIT failed(failure); });
}

void ExpertsCompareTab::compareWithPlan(const QString& path) {
    if (!m_session.data()) return;
    m_services.worker.ask(
        this, "other",
        [known = m_session.data(), path](TaskContext&) {
            return loadPlan(*known, path.toStdString());
        },
        [this](const SavedPlan& other) {
            m_kind = Kind::Plan;
            m_otherPlan = other.state;
            m_otherName = other.name;
            showDifference();
        },
        [this](const Failure& failure) { Q_EMIT failed(failure); });
}

void ExpertsCompareTab::showScores(const LayerScores& scores, const QString& metric,
                                   const QString& name) {
    m_scores = scores;
    m_metric = metric;
    m_name = name;
    if (m_kind == Kind::Stats) showDifference();
}

LayerScores ExpertsCompareTab::statsDifference() const {
    LayerScores difference = m_scores;
    const LayerScores other = scoresOf(*m_other, m_metric);
    for (auto& [layer, values] : difference) {
        for (std::size_t e = 0; e < values.size(); ++e) values[e] -= other.at(layer)[e];
    }
    return difference;
}

LayerScores ExpertsCompareTab::planDifference() const {
    LayerScores difference;
    for (const auto& [layer, row] : m_session.plan().layers) {
        auto& values = difference[layer];
        for (std::int32_t e = 0; e < static_cast<std::int32_t>(m_session.data()->numExperts());
             ++e) {
            values.push_back((m_session.plan().keeps(layer, e) ? 1.0 : 0.0) -
                             (m_otherPlan.keeps(layer, e) ? 1.0 : 0.0));
        }
    }
    return difference;
}

void ExpertsCompareTab::showMatrix(const LayerScores& difference, const QString& name) {
    ExpertMatrix matrix = matrixOf(*m_session.data(), difference, name);
    matrix.isDifference = true;
    const bool isNew = !matrix.hasShapeOf(m_model->matrix());
    m_model->setMatrix(std::move(matrix));
    if (isNew) QMetaObject::invokeMethod(m_view, &HeatView::fit, Qt::QueuedConnection);
}

void ExpertsCompareTab::showDifference() {
    m_view->parentWidget()->setVisible(m_kind != Kind::Nothing);
    if (m_kind == Kind::Nothing || !m_session.data()) {
        m_text->setText(
            tr("Choose other statistics of this model, or a saved plan. The map then "
               "shows what is more here in blue, and what is less in brown."));
        return;
    }
    if (m_kind == Kind::Plan) {
        showMatrix(planDifference(), tr("kept here alone"));
        m_text->setText(
            tr("Against %1: %2")
                .arg(m_otherName, differenceText(differenceOf(m_otherPlan, m_session.plan()))));
    } else if (m_metric != QLatin1String("router_norm") &&
               !m_other->hasCriterion(m_metric.toStdString())) {
        m_text->setText(tr("%1 does not have what %2 needs.").arg(m_otherName, m_name));
        m_view->parentWidget()->hide();
    } else {
        showMatrix(statsDifference(), tr("difference of %1").arg(m_name));
        m_text->setText(tr("These statistics minus %1: %2.").arg(m_otherName, m_name));
    }
    Q_EMIT compared();
}

}  // namespace espalier::ui
