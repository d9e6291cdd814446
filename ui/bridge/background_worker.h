#pragma once

#include <QObject>
#include <QPointer>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <type_traits>
#include <utility>

#include "base/cancel.h"
#include "store/library.h"
#include "ui/bridge/command_thread.h"
#include "ui/bridge/failure.h"

namespace espalier::ui {

/// What a background task may use. The library has its own connection on this thread.
class TaskContext {
public:
    explicit TaskContext(std::filesystem::path libraryPath, std::stop_token stop)
        : m_libraryPath(std::move(libraryPath)), m_stop(std::move(stop)) {}

    Library& library();
    const std::stop_token& stop() const { return m_stop; }

private:
    std::filesystem::path m_libraryPath;
    std::stop_token m_stop;
    std::unique_ptr<Library> m_library;
};

/// One thread for what is neither stage nor generation: library queries, opening models, estimates.
/// Answers arrive on the GUI thread, and only while the asker lives.
class BackgroundWorker : public QObject {
    Q_OBJECT

public:
    explicit BackgroundWorker(std::filesystem::path libraryPath, QObject* parent = nullptr);

    /// Runs `task(TaskContext&)` there and then, here, `done(result)` or `failed(Failure)`.
    /// @param topic if not empty, a later request of the same topic and asker makes this one void
    template <typename Task, typename Done, typename Failed>
    void ask(QObject* asker, const std::string& topic, Task task, Done done, Failed failed);

    /// For what has no answer to wait for; a failure is told through taskFailed().
    template <typename Task>
    void run(Task task);

Q_SIGNALS:
    void taskFailed(const espalier::ui::Failure& failure);

private:
    using Topic = std::pair<const QObject*, std::string>;

    std::uint64_t newTicket(const QObject* asker, const std::string& topic);
    bool isCurrent(const QObject* asker, const std::string& topic, std::uint64_t ticket) const;

    std::map<Topic, std::uint64_t> m_tickets;  // GUI thread only
    std::uint64_t m_lastTicket = 0;
    CommandThread<TaskContext> m_thread;
};

template <typename Task, typename Done, typename Failed>
void BackgroundWorker::ask(QObject* asker, const std::string& topic, Task task, Done done,
                           Failed failed) {
    const std::uint64_t ticket = newTicket(asker, topic);
    // Travels to the worker and back without being touched there, so it may hold a QPointer.
    auto deliver = [this, receiver = QPointer<QObject>(asker), topic, ticket](auto action) {
        QMetaObject::invokeMethod(
            this,
            [this, receiver, topic, ticket, action = std::move(action)] {
                if (receiver && isCurrent(receiver, topic, ticket)) action();
            },
            Qt::QueuedConnection);
    };
    m_thread.post([task = std::move(task), done = std::move(done), failed = std::move(failed),
                   deliver = std::move(deliver)](TaskContext& context) {
        try {
            using Result = std::invoke_result_t<Task, TaskContext&>;
            auto result = std::make_shared<Result>(task(context));
            deliver([done, result] { done(std::move(*result)); });
        } catch (const Cancelled&) {
            return;  // the window is closing
        } catch (...) {
            deliver([failed, failure = failureOf(std::current_exception())] { failed(failure); });
        }
    });
}

template <typename Task>
void BackgroundWorker::run(Task task) {
    ask(
        this, {},
        [task = std::move(task)](TaskContext& context) {
            task(context);
            return true;
        },
        [](bool) {}, [this](const Failure& failure) { Q_EMIT taskFailed(failure); });
}

}  // namespace espalier::ui
