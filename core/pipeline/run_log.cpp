#include "pipeline/run_log.h"

#include <mutex>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/log.h"

namespace espalier {
namespace {

/// True while this thread is telling an observer something.
thread_local bool t_is_telling = false;

struct Telling {
    bool was = std::exchange(t_is_telling, true);
    ~Telling() { t_is_telling = was; }
};

std::shared_ptr<spdlog::sinks::sink> open_file(const std::filesystem::path& file) {
    try {
        auto sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(file.string());
        sink->set_pattern("%Y-%m-%d %H:%M:%S %l %n: %v");
        return sink;
    } catch (const spdlog::spdlog_ex& error) {
        throw Error(ErrorCode::DiskWrite, error.what(), "Choose a folder that you can write to.");
    }
}

}  // namespace

class RunLog::Sink : public spdlog::sinks::base_sink<std::mutex> {
public:
    explicit Sink(const std::filesystem::path& file) : file_(open_file(file)) {}

    std::vector<LogLine> take_lines() {
        const std::scoped_lock lock(mutex_);
        return std::exchange(lines_, {});
    }

protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        if (t_is_telling) return;
        file_->log(message);
        const auto level = spdlog::level::to_string_view(message.level);
        lines_.push_back({std::string(level.data(), level.size()),
                          std::string(message.payload.data(), message.payload.size())});
    }
    void flush_() override { file_->flush(); }

private:
    std::shared_ptr<spdlog::sinks::sink> file_;
    std::vector<LogLine> lines_;
};

RunLog::RunLog(const std::filesystem::path& file, RunObserver& observer)
    : observer_(observer), sink_(std::make_shared<Sink>(file)) {
    add_log_sink(sink_);
}

RunLog::~RunLog() {
    remove_log_sink(sink_);
    sink_->flush();
}

void RunLog::flush() {
    const Telling telling;
    for (const LogLine& line : sink_->take_lines()) observer_.on_event(line);
}

void RunLog::on_event(const RunEvent& event) {
    if (const auto* line = std::get_if<LogLine>(&event)) {
        log("run").log(spdlog::level::from_str(line->level), "{}", line->text);
        flush();
        return;
    }
    flush();
    const Telling telling;
    observer_.on_event(event);
}

}  // namespace espalier
