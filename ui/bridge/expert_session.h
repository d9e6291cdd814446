#pragma once

#include <QObject>
#include <QUndoStack>
#include <map>
#include <optional>
#include <string>

#include "ui/bridge/expert_data.h"
#include "ui/bridge/failure.h"
#include "ui/bridge/measured_points.h"
#include "ui/bridge/plan_command.h"
#include "ui/bridge/plan_edits.h"
#include "ui/bridge/plan_files.h"
#include "ui/bridge/plan_state.h"
#include "ui/bridge/probe_worker.h"

namespace espalier::ui {

class BackgroundWorker;

/// What a plan comes to, as far as its numbers tell without running the model.
struct PlanNumbers {
    std::uint64_t bytes = 0;
    std::uint64_t memory = 0;  ///< with one sequence of memoryTokens
    std::int64_t keptExperts = 0;
    std::int64_t allExperts = 0;
    std::map<std::string, double> taskMass;  ///< share of each task's output; "" = all tokens
};

/// The expert inspector's one model: its statistics, the plan that is being made, its history and
/// what was measured. Reads, chooses and measures on other threads; everything here happens on the
/// GUI thread.
class ExpertSession : public QObject {
    Q_OBJECT

public:
    static constexpr std::int64_t memoryTokens = 4096;
    static constexpr int mostCommands = 1000;

    explicit ExpertSession(BackgroundWorker& worker, QObject* parent = nullptr);
    ~ExpertSession() override;

    /// Reads a model and its statistics in place of what is there.
    void open(const ExpertDataRequest& request);
    /// Takes statistics of other weights after all.
    void useOtherRevision();
    void close();
    bool isLoading() const { return m_isLoading; }
    /// Null before anything was opened.
    const ExpertDataPtr& data() const { return m_data; }

    const PlanState& plan() const { return m_plan; }
    QUndoStack& history() { return m_history; }
    /// What is being asked for, or was last.
    const PlanSettings& wantedSettings() const { return m_wanted; }
    bool isChoosing() const { return m_isChoosing; }
    /// Chooses anew; marks stay. The answer comes as planChanged() or choiceRefused().
    /// @param drag see PlanCommand
    void choose(const PlanSettings& settings, int drag = 0);
    /// False and refused() if a layer cannot do with what would be left.
    bool edit(PlanEdit edit, const ExpertCells& cells);
    /// Prunes what is kept, or keeps it all if nothing of it is.
    bool toggle(const ExpertCells& cells);
    /// Takes another plan as one step.
    void adopt(const PlanState& plan, const QString& text);
    PlanNumbers numbers(const PlanState& plan) const;

    const QString& planName() const { return m_planName; }
    const QString& note() const { return m_note; }
    void setNote(const QString& note);
    bool isModified() const { return !m_history.isClean() || m_isBesideChanged; }
    /// With the history so far.
    SavedPlan savedPlan() const;
    void saveAs(const QString& name);
    void load(const QString& path);

    ProbeWorker& probe() { return m_probe; }
    const ProbeSource& probeSource() const { return m_probeSource; }
    void setProbeSource(const ProbeSource& source);
    const MeasuredPoints& points() const { return m_points; }
    /// What is known of the plan in force; nothing if it was not measured.
    std::optional<ProbeReading> reading() const;
    /// Why the plan in force cannot be measured as a mask; empty if it can.
    QString measureProblem() const;
    void measure();
    /// Looks for a better plan of the same size; the result becomes one step.
    void search(double seconds);
    void goToPoint(int id);

Q_SIGNALS:
    void loadingChanged(bool isLoading);
    /// Other statistics, or none any more.
    void dataChanged();
    /// Statistics of another revision were read and wait for useOtherRevision().
    void otherRevisionFound();
    void planChanged();
    void planFileChanged();
    void choiceRefused(const espalier::ui::Failure& failure);
    void refused(qint64 layer, const QString& text);
    void readingChanged();
    void pointsChanged();
    void announced(const QString& text);
    void failed(const espalier::ui::Failure& failure);

private:
    void takeData(const ExpertDataPtr& data);
    void setPlan(const PlanState& plan);
    void push(const QString& text, const PlanState& after, int drag = 0);
    void takeChoice(const PlanState& chosen, int drag);
    /// What is being chosen is not waited for any more.
    void dropChoice();
    QString textOfChoice(const PlanSettings& settings) const;
    void takeReading(const ProbeReading& reading);
    void takeFound(const ExpertPlan& plan);
    void takeSaved(const SavedPlan& saved);

    BackgroundWorker& m_worker;
    ExpertDataPtr m_data;
    ExpertDataPtr m_otherRevision;
    bool m_isLoading = false;
    PlanState m_plan;
    PlanSettings m_wanted;
    bool m_isChoosing = false;
    quint64 m_choiceTicket = 0;
    PlanCommand::Show m_show;  // before the history, whose commands call it
    QUndoStack m_history;
    std::vector<HistoryLine> m_earlier;  ///< of the plan's file
    QString m_planName;
    QString m_note;
    bool m_isBesideChanged = false;  ///< note or measured points
    ProbeSource m_probeSource;
    MeasuredPoints m_points;
    std::optional<ProbeReading> m_partial;
    PlanState m_measuredPlan;
    ProbeSource m_measuredSource;
    ProbeWorker m_probe;
};

}  // namespace espalier::ui
