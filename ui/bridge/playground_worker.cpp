#include "ui/bridge/playground_worker.h"

#include <chrono>
#include <utility>

#include "base/cancel.h"
#include "base/error.h"
#include "ui/bridge/playground_model.h"

namespace espalier::ui {
namespace {

AnswerStats statsOf(const GenerationResult& result, double seconds) {
    return {
        .promptTokens = result.prompt_tokens,
        .tokens = static_cast<qint64>(result.ids.size()),
        .promptTokensPerSecond = result.prompt_tokens_per_second,
        .tokensPerSecond = result.generated_tokens_per_second,
        .seconds = seconds,
        .stop = result.stop,
    };
}

}  // namespace

PlaygroundWorker::PlaygroundWorker(QObject* parent) : QObject(parent) {
    m_flushTimer.setSingleShot(true);
    m_flushTimer.setInterval(flushInterval);
    connect(&m_flushTimer, &QTimer::timeout, this, &PlaygroundWorker::flush);
}

PlaygroundWorker::~PlaygroundWorker() { m_generation.request_stop(); }

void PlaygroundWorker::load(const QString& path) {
    stop();
    m_isLoaded = false;
    const quint64 ticket = ++m_loadTicket;
    Q_EMIT loadStarted(path);
    const auto isCurrent = [this, ticket] { return ticket == m_loadTicket; };
    m_thread.post(
        [this, isCurrent, file = path.toStdString()](std::unique_ptr<PlaygroundModel>& model) {
            model.reset();  // before the next is mapped: two may not fit
            try {
                const ModelInfo info = readModelInfo(file);
                model = std::make_unique<PlaygroundModel>(file);
                QMetaObject::invokeMethod(this, [this, isCurrent, info] {
                    if (!isCurrent()) return;
                    m_isLoaded = true;
                    m_info = info;
                    Q_EMIT loaded(info);
                });
            } catch (...) {
                const Failure failure = failureOf(std::current_exception());
                QMetaObject::invokeMethod(this, [this, isCurrent, failure] {
                    if (isCurrent()) Q_EMIT loadFailed(failure);
                });
            }
        });
}

void PlaygroundWorker::unload() {
    stop();
    ++m_loadTicket;
    m_isLoaded = false;
    m_thread.post([](std::unique_ptr<PlaygroundModel>& model) { model.reset(); });
    Q_EMIT unloaded();
}

void PlaygroundWorker::generate(const PlaygroundRequest& request) {
    if (m_isGenerating || !m_isLoaded) return;
    m_isGenerating = true;
    m_generation = std::stop_source();
    m_thread.post(
        [this, request, stop = m_generation.get_token()](std::unique_ptr<PlaygroundModel>& model) {
            answer(model.get(), request, stop);
        });
}

void PlaygroundWorker::stop() { m_generation.request_stop(); }

void PlaygroundWorker::answer(PlaygroundModel* model, const PlaygroundRequest& request,
                              const std::stop_token& stop) {
    const auto begin = std::chrono::steady_clock::now();
    const auto finish = [this](auto report) {
        QMetaObject::invokeMethod(this, [this, report] {
            flush();
            m_isGenerating = false;
            report();
        });
    };
    try {
        if (model == nullptr) throw Cancelled();
        const GenerationResult result = model->answer(
            request, [this](std::string_view piece) { takePiece(piece); }, stop);
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
        finish([this, stats = statsOf(result, took.count())] { Q_EMIT answered(stats); });
    } catch (const Cancelled&) {
        finish([this] { Q_EMIT answered(AnswerStats{.stop = StopReason::Cancelled}); });
    } catch (...) {
        finish([this, failure = failureOf(std::current_exception())] {
            Q_EMIT generationFailed(failure);
        });
    }
}

void PlaygroundWorker::takePiece(std::string_view piece) {
    const std::scoped_lock lock(m_mutex);
    const bool wasEmpty = m_text.empty();
    m_text += piece;
    if (wasEmpty && !m_text.empty()) {
        QMetaObject::invokeMethod(&m_flushTimer, qOverload<>(&QTimer::start), Qt::QueuedConnection);
    }
}

void PlaygroundWorker::flush() {
    m_flushTimer.stop();
    std::string text;
    {
        const std::scoped_lock lock(m_mutex);
        text = std::exchange(m_text, {});
    }
    if (!text.empty()) Q_EMIT textArrived(QString::fromStdString(text));
}

}  // namespace espalier::ui
