#pragma once

#include <QObject>
#include <functional>
#include <memory>
#include <stop_token>

#include "prune/expert_plan.h"
#include "ui/bridge/command_thread.h"
#include "ui/bridge/expert_data.h"
#include "ui/bridge/failure.h"
#include "ui/bridge/plan_state.h"
#include "ui/bridge/probe_types.h"

namespace espalier::ui {

class ProbeModel;

/// Measures plans with the removed experts masked, one at a time, on a thread of its own, and looks
/// for better ones by measuring. No weight is written.
class ProbeWorker : public QObject {
    Q_OBJECT

public:
    explicit ProbeWorker(QObject* parent = nullptr);
    ~ProbeWorker() override;

    struct Search {
        ExpertDataPtr data;
        SelectOptions options;
        double seconds = 120;
    };
    /// Both are ignored while one is going on.
    void measure(const ExpertDataPtr& data, const ProbeSource& source, const ExpertPlan& plan);
    void search(const Search& search, const ProbeSource& source);
    void cancel();
    /// Gives the memory of the model back.
    void release();
    bool isBusy() const { return m_isBusy; }

Q_SIGNALS:
    /// What is going on, and how far: 0 to 1.
    void progressed(double fraction, const QString& text);
    void measured(const espalier::ui::ProbeReading& reading);
    void found(const espalier::ExpertPlan& plan);
    void failed(const espalier::ui::Failure& failure);
    /// After any of them, and after a cancel.
    void ended();

private:
    void begin(std::function<void(std::unique_ptr<ProbeModel>&, const std::stop_token&)> work);

    bool m_isBusy = false;
    std::stop_source m_job;
    CommandThread<std::unique_ptr<ProbeModel>> m_thread;
};

}  // namespace espalier::ui

Q_DECLARE_METATYPE(espalier::ExpertPlan)
