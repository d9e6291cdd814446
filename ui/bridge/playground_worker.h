#pragma once

#include <QObject>
#include <QTimer>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "ui/bridge/command_thread.h"
#include "ui/bridge/failure.h"
#include "ui/bridge/playground_types.h"

namespace espalier::ui {

class PlaygroundModel;

/// Loads one model and generates with it on a thread of its own. Text arrives in batches, at most
/// one every flushInterval, and always before the end of its answer.
class PlaygroundWorker : public QObject {
    Q_OBJECT

public:
    static constexpr std::chrono::milliseconds flushInterval{50};

    explicit PlaygroundWorker(QObject* parent = nullptr);
    ~PlaygroundWorker() override;

    /// Replaces the model that is there; what is being generated is stopped first.
    void load(const QString& path);
    void unload();
    void generate(const PlaygroundRequest& request);
    /// Ends the answer at the next token and keeps what is there.
    void stop();

    bool isLoaded() const { return m_isLoaded; }
    bool isGenerating() const { return m_isGenerating; }
    const ModelInfo& model() const { return m_info; }

Q_SIGNALS:
    void loadStarted(const QString& path);
    void loaded(const espalier::ui::ModelInfo& model);
    void loadFailed(const espalier::ui::Failure& failure);
    void unloaded();
    void textArrived(const QString& text);
    void answered(const espalier::ui::AnswerStats& stats);
    void generationFailed(const espalier::ui::Failure& failure);

private:
    void answer(PlaygroundModel* model, const PlaygroundRequest& request,
                const std::stop_token& stop);
    void takePiece(std::string_view piece);
    void flush();

    // GUI thread
    bool m_isLoaded = false;
    bool m_isGenerating = false;
    ModelInfo m_info;
    quint64 m_loadTicket = 0;
    std::stop_source m_generation;
    QTimer m_flushTimer;

    // shared
    std::mutex m_mutex;
    std::string m_text;

    CommandThread<std::unique_ptr<PlaygroundModel>> m_thread;
};

}  // namespace espalier::ui
