#include "ui/bridge/background_worker.h"

namespace espalier::ui {

Library& TaskContext::library() {
    if (!m_library) m_library = std::make_unique<Library>(m_libraryPath);
    return *m_library;
}

BackgroundWorker::BackgroundWorker(std::filesystem::path libraryPath, QObject* parent)
    : QObject(parent),
      m_libraryPath(std::move(libraryPath)),
      m_thread([this](const std::stop_token& stop) { loop(stop); }) {}

void BackgroundWorker::post(Work work) {
    {
        const std::scoped_lock lock(m_mutex);
        m_queue.push_back(std::move(work));
    }
    m_wake.notify_one();
}

void BackgroundWorker::loop(const std::stop_token& stop) {
    TaskContext context(m_libraryPath, stop);
    while (true) {
        std::unique_lock lock(m_mutex);
        // What was asked before the end is still done: it may be the last word of a chat.
        m_wake.wait(lock, stop, [this] { return !m_queue.empty(); });
        if (m_queue.empty()) return;
        const Work work = std::move(m_queue.front());
        m_queue.pop_front();
        lock.unlock();
        work(context);
    }
}

std::uint64_t BackgroundWorker::newTicket(const QObject* asker, const std::string& topic) {
    const std::uint64_t ticket = ++m_lastTicket;
    if (!topic.empty()) m_tickets[{asker, topic}] = ticket;
    return ticket;
}

bool BackgroundWorker::isCurrent(const QObject* asker, const std::string& topic,
                                 std::uint64_t ticket) const {
    if (topic.empty()) return true;
    const auto found = m_tickets.find({asker, topic});
    return found != m_tickets.end() && found->second == ticket;
}

}  // namespace espalier::ui
