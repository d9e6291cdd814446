#include "app/cli/session.h"

#include <csignal>
#include <cstdlib>
#include <utility>

#include "app/cli/print.h"

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
        int signal = 0;
        while (sigwait(&signals, &signal) == 0 && !over.stop_requested()) {
            // Whatever is being written has another name until it is whole.
            if (source_.stop_requested()) std::_Exit(kExitCancelled);
            source_.request_stop();
        }
    });
}

SignalStop::~SignalStop() {
    waiter_.request_stop();
    pthread_kill(waiter_.native_handle(), SIGTERM);  // wakes it
    waiter_.join();
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
