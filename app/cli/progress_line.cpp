#include "app/cli/progress_line.h"

#include <algorithm>
#include <cstdio>
#include <fmt/format.h>
#include <unistd.h>

#include "base/log.h"
#include "base/size_text.h"

namespace espalier::cli {

ProgressLine::ProgressLine() : on_terminal_(::isatty(STDERR_FILENO) == 1) {}

ProgressLine::~ProgressLine() { clear(); }

void ProgressLine::show(double fraction, std::string_view now) {
    if (!on_terminal_) return;
    const auto time = std::chrono::steady_clock::now();
    if (shown_ && time - last_ < std::chrono::milliseconds(100)) return;
    last_ = time;
    shown_ = true;
    constexpr int kWidth = 24;
    const int filled = static_cast<int>(std::clamp(fraction, 0.0, 1.0) * kWidth);
    fmt::print(stderr, "\r\033[K[{:=<{}}{:<{}}] {:3.0f} %  {}", "", filled, "", kWidth - filled,
               100 * fraction, now);
}

void ProgressLine::clear() {
    if (!shown_) return;
    shown_ = false;
    fmt::print(stderr, "\r\033[K");
}

void TerminalObserver::on_event(const RunEvent& event) {
    if (const auto* progress = std::get_if<StageProgress>(&event)) {
        line_.show(progress->fraction,
                   stage_.empty() ? progress->now : stage_ + ": " + progress->now);
        return;
    }
    line_.clear();
    if (const auto* started = std::get_if<StageStarted>(&event)) {
        stage_ = started->stage;
        log("run").info("stage {} of {}: {}", started->index + 1, started->count, started->stage);
    } else if (const auto* finished = std::get_if<StageFinished>(&event)) {
        log("run").info("{} done in {:.1f} s, peak memory {}", finished->stage, finished->seconds,
                        memory_text(finished->peak_bytes));
    }
}

}  // namespace espalier::cli
