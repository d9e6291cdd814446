#include "ui/bridge/expert_session.h"

#include <QLocale>
#include <utility>

#include "prune/explain_plan.h"
#include "prune/kept_counts.h"
#include "prune/select_experts.h"
#include "ui/bridge/background_worker.h"

namespace espalier::ui {
namespace {

/// With which a new model begins.
PlanSettings firstSettings(const ExpertData& data) {
    PlanSettings settings;
    if (!data.hasCriterion(settings.criterion) && !data.criteria.empty())
        settings.criterion = data.criteria.front();
    settings.keep = nearest_kept(data.numExperts() * 3 / 4, data.config.router);
    return settings;
}

/// Every expert, where nothing says which should go.
PlanState wholePlan(const ExpertData& data) {
    LayerPlan all;
    for (std::int32_t e = 0; e < data.numExperts(); ++e) all.kept.push_back(e);
    PlanState state{
        .settings = {.keep = data.numExperts()}, .chooser = {}, .layers = {}, .reasons = {}};
    const auto shared = std::make_shared<const LayerPlan>(std::move(all));
    for (const std::int64_t layer : data.config.moe_layers()) state.layers[layer] = shared;
    return state;
}

QString textOfTasks(const PlanSettings& settings) {
    if (settings.taskMix == TaskMix::MaxMin)
        return ExpertSession::tr("Raise the task that keeps least");
    if (settings.taskWeights.empty()) return ExpertSession::tr("All texts together");
    QStringList parts;
    for (const auto& [task, weight] : settings.taskWeights)
        parts.append(QStringLiteral("%1 %2").arg(QString::fromStdString(task)).arg(weight));
    return ExpertSession::tr("Weigh tasks: %1").arg(parts.join(QStringLiteral(", ")));
}

}  // namespace

ExpertSession::ExpertSession(BackgroundWorker& worker, QObject* parent)
    : QObject(parent), m_worker(worker), m_show([this](const PlanState& plan) { setPlan(plan); }) {
    m_history.setUndoLimit(mostCommands);
    connect(&m_history, &QUndoStack::cleanChanged, this, &ExpertSession::planFileChanged);
    connect(&m_probe, &ProbeWorker::measured, this, &ExpertSession::takeReading);
    connect(&m_probe, &ProbeWorker::failed, this, &ExpertSession::failed);
    connect(&m_probe, &ProbeWorker::ended, this, &ExpertSession::readingChanged);
    connect(&m_probe, &ProbeWorker::found, this, [this](const ExpertPlan& plan) {
        if (m_data && plan.model_hash == m_data->stats.model_hash) takeFound(plan);
    });
}

// A stack that ends says that it is clean, to a session half gone.
ExpertSession::~ExpertSession() { m_history.blockSignals(true); }

void ExpertSession::open(const ExpertDataRequest& request) {
    m_isLoading = true;
    Q_EMIT loadingChanged(true);
    m_worker.ask(
        this, "data", [request](TaskContext&) { return readExpertData(request); },
        [this](const ExpertDataPtr& data) {
            m_isLoading = false;
            Q_EMIT loadingChanged(false);
            if (data->isOtherRevision) {
                m_otherRevision = data;
                Q_EMIT otherRevisionFound();
            } else {
                takeData(data);
            }
        },
        [this](const Failure& failure) {
            m_isLoading = false;
            Q_EMIT loadingChanged(false);
            Q_EMIT failed(failure);
        });
}

void ExpertSession::useOtherRevision() {
    if (m_otherRevision) takeData(std::exchange(m_otherRevision, nullptr));
}

void ExpertSession::close() { takeData(nullptr); }

void ExpertSession::takeData(const ExpertDataPtr& data) {
    const bool isSameModel = m_data && data && m_data->modelHash == data->modelHash;
    m_probe.cancel();
    m_data = data;
    m_otherRevision = nullptr;
    dropChoice();
    m_partial.reset();
    m_history.clear();
    m_earlier.clear();
    m_planName.clear();
    m_note.clear();
    m_isBesideChanged = false;
    if (!isSameModel) {
        m_points.clear();
        m_probe.release();
    }
    m_plan = data ? wholePlan(*data) : PlanState{};
    m_wanted = m_plan.settings;
    Q_EMIT dataChanged();
    Q_EMIT planChanged();
    Q_EMIT planFileChanged();
    if (data && data->hasStats()) choose(firstSettings(*data));
}

void ExpertSession::choose(const PlanSettings& settings, int drag) {
    if (!m_data || !m_data->hasStats()) return;
    m_wanted = settings;
    m_isChoosing = true;
    const quint64 ticket = ++m_choiceTicket;
    m_worker.ask(
        this, "choose",
        [data = m_data, settings,
         options = selectOptions(settings, m_plan, m_data->numExperts())](TaskContext&) {
            return stateOf(select_experts(data->stats, data->config, options), settings);
        },
        [this, settings, drag, ticket, before = m_plan](const PlanState& chosen) {
            if (ticket != m_choiceTicket) return;
            // An edit came between: what it marks counts, too.
            if (before != m_plan) return choose(settings, drag);
            takeChoice(chosen, drag);
        },
        [this, ticket](const Failure& failure) {
            if (ticket != m_choiceTicket) return;
            m_isChoosing = false;
            m_wanted = m_plan.settings;
            Q_EMIT choiceRefused(failure);
        });
}

void ExpertSession::dropChoice() {
    ++m_choiceTicket;
    m_isChoosing = false;
}

void ExpertSession::takeChoice(const PlanState& chosen, int drag) {
    m_isChoosing = false;
    if (chosen == m_plan) return;
    // The choice that a model begins with is where its history starts.
    if (m_plan.chooser.empty() && m_history.count() == 0 && m_planName.isEmpty()) {
        setPlan(chosen);
        return;
    }
    push(textOfChoice(chosen.settings), chosen, drag);
}

QString ExpertSession::textOfChoice(const PlanSettings& settings) const {
    const PlanSettings& before = m_plan.settings;
    if (settings.keep != before.keep) {
        return tr("Keep %1 of %2 experts in each layer")
            .arg(settings.keep)
            .arg(m_data->numExperts());
    }
    if (settings.criterion != before.criterion)
        return tr("Choose by %1").arg(QString::fromStdString(settings.criterion));
    if (settings.scope != before.scope) {
        return settings.scope == SelectScope::Across ? tr("Choose across layers")
                                                     : tr("Choose within each layer");
    }
    if (settings.isUniform != before.isUniform)
        return settings.isUniform ? tr("The same number in every layer") : tr("Let layers differ");
    if (settings.merge != before.merge) {
        return settings.merge.empty()
                   ? tr("Remove what goes")
                   : tr("Merge what goes (%1)").arg(QString::fromStdString(settings.merge));
    }
    if (settings.taskMix != before.taskMix || settings.taskWeights != before.taskWeights)
        return textOfTasks(settings);
    if (settings.champions != before.champions)
        return tr("Protect the best %1 of each task").arg(settings.champions);
    return tr("Choose again");
}

bool ExpertSession::edit(PlanEdit edit, const ExpertCells& cells) {
    if (!m_data || cells.empty()) return false;
    const EditResult result = edited(m_plan, edit, cells, m_data->config.router);
    if (result.isRefused()) {
        Q_EMIT refused(result.refusedLayer, result.refusal);
        Q_EMIT announced(tr("Layer %1: %2").arg(result.refusedLayer).arg(result.refusal));
        return false;
    }
    if (result.state == m_plan) return true;
    push(editText(edit, cells), result.state);
    return true;
}

bool ExpertSession::toggle(const ExpertCells& cells) {
    bool keepsAny = false;
    for (const auto& [layer, experts] : cells) {
        for (const std::int32_t expert : experts) keepsAny |= m_plan.keeps(layer, expert);
    }
    return edit(keepsAny ? PlanEdit::Prune : PlanEdit::Keep, cells);
}

void ExpertSession::adopt(const PlanState& plan, const QString& text) {
    if (!m_data || plan == m_plan) return;
    dropChoice();
    push(text, plan);
}

void ExpertSession::push(const QString& text, const PlanState& after, int drag) {
    m_history.push(new PlanCommand(text, m_plan, after, m_show, drag));
    Q_EMIT announced(text);
}

void ExpertSession::setPlan(const PlanState& plan) {
    m_plan = plan;
    if (!m_isChoosing) m_wanted = plan.settings;
    Q_EMIT planChanged();
    Q_EMIT readingChanged();
}

PlanNumbers ExpertSession::numbers(const PlanState& plan) const {
    PlanNumbers numbers;
    if (!m_data) return numbers;
    numbers.bytes = m_data->modelBytes;
    for (const auto& [layer, row] : plan.layers) {
        const auto kept = static_cast<std::int64_t>(row->kept.size());
        numbers.keptExperts += kept;
        numbers.allExperts += m_data->numExperts();
        numbers.bytes -=
            m_data->expertBytes.at(layer) * static_cast<std::uint64_t>(m_data->numExperts() - kept);
    }
    const MemoryNeed& need = m_data->memory;
    numbers.memory = numbers.bytes + need.buffers + need.cache_fixed +
                     need.cache_per_token * static_cast<std::uint64_t>(memoryTokens);
    if (m_data->hasStats()) {
        ExpertPlan kept;
        for (const auto& [layer, row] : plan.layers) kept.layers[layer] = *row;
        numbers.taskMass = task_mass_kept(m_data->stats, kept);
    }
    return numbers;
}

void ExpertSession::setNote(const QString& note) {
    if (note == m_note) return;
    m_note = note;
    m_isBesideChanged = true;
    Q_EMIT planFileChanged();
}

SavedPlan ExpertSession::savedPlan() const {
    SavedPlan saved{.state = m_plan,
                    .name = m_planName,
                    .note = m_note,
                    .history = m_earlier,
                    .modelHash = QString::fromStdString(m_data->modelHash)};
    saved.measured = m_points.all();
    for (int i = 0; i < m_history.index(); ++i) {
        const auto* command = static_cast<const PlanCommand*>(m_history.command(i));
        saved.history.push_back({command->time().toString(Qt::ISODate), command->actionText()});
    }
    return saved;
}

void ExpertSession::saveAs(const QString& name) {
    if (!m_data) return;
    SavedPlan saved = savedPlan();
    saved.name = name;
    m_worker.ask(
        this, {},
        [data = m_data, saved](TaskContext&) {
            savePlan(*data, saved, planPath(*data, saved.name));
            return true;
        },
        [this, name, data = m_data, index = m_history.index()](bool) {
            if (data != m_data) return;
            m_planName = name;
            m_isBesideChanged = false;
            if (index == m_history.index()) m_history.setClean();
            Q_EMIT planFileChanged();
            Q_EMIT announced(tr("The plan %1 is saved.").arg(name));
        },
        [this](const Failure& failure) { Q_EMIT failed(failure); });
}

void ExpertSession::load(const QString& path) {
    if (!m_data) return;
    m_worker.ask(
        this, "plan",
        [data = m_data, file = path.toStdString()](TaskContext&) { return loadPlan(*data, file); },
        [this, data = m_data](const SavedPlan& saved) {
            if (data == m_data) takeSaved(saved);
        },
        [this](const Failure& failure) { Q_EMIT failed(failure); });
}

void ExpertSession::takeSaved(const SavedPlan& saved) {
    dropChoice();
    m_history.clear();
    m_earlier = saved.history;
    m_planName = saved.name;
    m_note = saved.note;
    m_isBesideChanged = false;
    m_points.restore(saved.measured);
    setPlan(saved.state);
    Q_EMIT pointsChanged();
    Q_EMIT planFileChanged();
    Q_EMIT announced(tr("Plan %1").arg(saved.name));
}

void ExpertSession::setProbeSource(const ProbeSource& source) {
    if (source == m_probeSource) return;
    m_probeSource = source;
    Q_EMIT readingChanged();
    Q_EMIT pointsChanged();
}

std::optional<ProbeReading> ExpertSession::reading() const {
    if (const MeasuredPoint* point = m_points.find(m_plan, m_probeSource)) return point->reading;
    const bool isCurrent =
        m_partial && m_measuredSource == m_probeSource && doTheSame(m_measuredPlan, m_plan);
    return isCurrent ? m_partial : std::nullopt;
}

QString ExpertSession::measureProblem() const {
    if (m_plan.merges()) {
        return tr(
            "Merged experts are new weights, which no mask can stand for. Apply the plan, "
            "then evaluate what it gives.");
    }
    if (m_plan.replaces()) {
        return tr(
            "Constants in place of experts are new weights, which no mask can stand for. "
            "Apply the plan, then evaluate what it gives.");
    }
    return {};
}

void ExpertSession::measure() {
    if (!m_data || m_probe.isBusy() || !measureProblem().isEmpty()) return;
    m_partial.reset();
    m_measuredPlan = m_plan;
    m_measuredSource = m_probeSource;
    m_probe.measure(m_data, m_probeSource, appliedPlan(*m_data, m_plan));
    Q_EMIT readingChanged();
}

void ExpertSession::takeReading(const ProbeReading& reading) {
    if (!m_data) return;
    m_partial = reading;
    if (reading.isFinal()) {
        m_points.add(m_measuredPlan, m_measuredSource, reading, numbers(m_measuredPlan).bytes);
        m_isBesideChanged = true;
        Q_EMIT pointsChanged();
        Q_EMIT planFileChanged();
        if (!reading.routing) {  // that comes later
            Q_EMIT announced(tr("Measured: KL divergence %1.")
                                 .arg(QLocale().toString(reading.cost.all.kl, 'g', 3)));
        }
    }
    Q_EMIT readingChanged();
}

void ExpertSession::search(double seconds) {
    if (!m_data || !m_data->hasStats() || m_probe.isBusy()) return;
    SelectOptions options = selectOptions(m_plan.settings, m_plan, m_data->numExperts());
    options.scope = SelectScope::Layers;  // the search keeps as many in each
    options.merge.clear();                // and measures what removing does
    m_probe.search({.data = m_data, .options = std::move(options), .seconds = seconds},
                   m_probeSource);
    Q_EMIT readingChanged();
}

void ExpertSession::takeFound(const ExpertPlan& plan) {
    PlanSettings settings = m_plan.settings;
    settings.merge.clear();
    push(tr("Take what the search found"), stateOf(plan, settings));
}

void ExpertSession::goToPoint(int id) {
    if (const MeasuredPoint* point = m_points.find(id))
        adopt(point->plan, tr("Go back to measured plan %1").arg(id));
}

}  // namespace espalier::ui
