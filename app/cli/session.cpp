#include "app/cli/session.h"

#include <csignal>
#include <ctime>
#include <utility>

namespace espalier::cli {
namespace {

sigset_t stop_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    return signals;
}

}  // namespace

SignalStop::SignalStop() {
    const sigset_t signals = stop_signals();
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    waiter_ = std::jthread([this, signals](const std::stop_token& over) {
        const timespec pause{0, 50'000'000};  // looks for the end of the program in between
        while (!over.stop_requested()) {
            if (sigtimedwait(&signals, nullptr, &pause) > 0) source_.request_stop();
        }
    });
}

double Measure::seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

Json Measure::result(const std::filesystem::path& out, Json metrics) const {
    return {{"out", out.string()},
            {"seconds", seconds()},
            {"peak_bytes", memory_.peak_anonymous_bytes()},
            {"metrics", std::move(metrics)}};
}

}  // namespace espalier::cli
