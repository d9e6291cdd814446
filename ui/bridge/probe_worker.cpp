#include "ui/bridge/probe_worker.h"

#include <cstdint>
#include <utility>

#include "base/cancel.h"
#include "model/model_source.h"
#include "pipeline/measured_selection.h"
#include "pipeline/probe_windows.h"
#include "ui/bridge/probe_model.h"

namespace espalier::ui {
namespace {

/// Of the texts that were calibrated on, for each token to measure on: what a search finds on few,
/// it finds for them alone.
constexpr std::int64_t tokensToSearch = 4;

ExpertPlan searchPlan(const ProbeWorker::Search& search, const ProbeSource& source,
                      const std::function<void(double, const std::string&)>& progress,
                      const std::stop_token& stop) {
    const auto model = ModelSource::open(search.data->model.toStdString());
    ThreadPool pool;
    return select_by_measurement(
        {.model = *model,
         .stats = search.data->stats,
         .options = search.options,
         .windows = read_search_windows(*model, {.data = search.data->data,
                                                 .file = source.file.toStdString(),
                                                 .context = source.context,
                                                 .max_tokens = tokensToSearch * source.maxTokens}),
         .seconds = search.seconds,
         .pool = pool,
         .progress = progress},
        stop);
}

}  // namespace

ProbeWorker::ProbeWorker(QObject* parent) : QObject(parent) {}

ProbeWorker::~ProbeWorker() { m_job.request_stop(); }

void ProbeWorker::measure(const ExpertDataPtr& data, const ProbeSource& source,
                          const ExpertPlan& plan) {
    begin([this, data, source, plan](std::unique_ptr<ProbeModel>& model,
                                     const std::stop_token& stop) {
        const ExpertMask mask = plan.mask(data->config);
        if (!model || !model->isOf(data->model, source)) {
            model.reset();  // before the next is mapped: two may not fit
            model = std::make_unique<ProbeModel>(data->model, source);
        }
        model->measure(mask, stop, [this](const ProbeReading& reading) {
            QMetaObject::invokeMethod(this, [this, reading] { Q_EMIT measured(reading); });
        });
    });
}

void ProbeWorker::search(const Search& search, const ProbeSource& source) {
    begin([this, search, source](std::unique_ptr<ProbeModel>& model, const std::stop_token& stop) {
        model.reset();  // the search opens the model for itself
        const auto progress = [this](double fraction, const std::string& text) {
            QMetaObject::invokeMethod(this, [this, fraction, said = QString::fromStdString(text)] {
                Q_EMIT progressed(fraction, said);
            });
        };
        const ExpertPlan plan = searchPlan(search, source, progress, stop);
        QMetaObject::invokeMethod(this, [this, plan] { Q_EMIT found(plan); });
    });
}

void ProbeWorker::cancel() { m_job.request_stop(); }

void ProbeWorker::release() {
    cancel();
    m_thread.post([](std::unique_ptr<ProbeModel>& model) { model.reset(); });
}

void ProbeWorker::begin(
    std::function<void(std::unique_ptr<ProbeModel>&, const std::stop_token&)> work) {
    if (m_isBusy) return;
    m_isBusy = true;
    m_job = std::stop_source();
    m_thread.post([this, work = std::move(work),
                   stop = m_job.get_token()](std::unique_ptr<ProbeModel>& model) {
        const auto finish = [this](auto report) {
            QMetaObject::invokeMethod(this, [this, report] {
                m_isBusy = false;
                report();
                Q_EMIT ended();
            });
        };
        try {
            work(model, stop);
            finish([] {});
        } catch (const Cancelled&) {
            finish([] {});
        } catch (...) {
            model.reset();
            finish(
                [this, failure = failureOf(std::current_exception())] { Q_EMIT failed(failure); });
        }
    });
}

}  // namespace espalier::ui
