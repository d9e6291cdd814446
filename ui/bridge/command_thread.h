#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

namespace espalier::ui {

/// A thread with a State of its own, which does to it what it is asked, one thing after the other.
/// Destruction stops and joins: it must be the last member of its owner.
template <typename State>
class CommandThread {
public:
    using Command = std::function<void(State&)>;
    /// What becomes of commands that wait when the end comes.
    enum class AtEnd { DropThem, DoThem };

    /// @param make runs on the thread
    explicit CommandThread(
        std::function<State(const std::stop_token&)> make =
            [](const std::stop_token&) { return State(); },
        AtEnd atEnd = AtEnd::DropThem)
        : m_atEnd(atEnd), m_thread([this, make = std::move(make)](const std::stop_token& stop) {
              loop(make(stop), stop);
          }) {}

    void post(Command command) {
        {
            const std::scoped_lock lock(m_mutex);
            m_commands.push_back(std::move(command));
        }
        m_wake.notify_one();
    }

private:
    void loop(State state, const std::stop_token& stop) {
        while (true) {
            std::unique_lock lock(m_mutex);
            m_wake.wait(lock, stop, [this] { return !m_commands.empty(); });
            const bool isOver = stop.stop_requested() && m_atEnd == AtEnd::DropThem;
            if (isOver || m_commands.empty()) return;
            const Command command = std::move(m_commands.front());
            m_commands.pop_front();
            lock.unlock();
            command(state);
        }
    }

    AtEnd m_atEnd;
    std::mutex m_mutex;
    std::condition_variable_any m_wake;
    std::deque<Command> m_commands;
    std::jthread m_thread;  // last: joins before what it uses goes
};

}  // namespace espalier::ui
