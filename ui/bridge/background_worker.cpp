#include "ui/bridge/background_worker.h"

namespace espalier::ui {

Library& TaskContext::library() {
    if (!m_library) m_library = std::make_unique<Library>(m_libraryPath);
    return *m_library;
}

BackgroundWorker::BackgroundWorker(std::filesystem::path libraryPath, QObject* parent)
    : QObject(parent),
      // What was asked before the end is still done: it may be the last word of a chat.
      m_thread([path = std::move(libraryPath)](
                   const std::stop_token& stop) { return TaskContext(path, stop); },
               CommandThread<TaskContext>::AtEnd::DoThem) {}

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
