#include "pipeline/run_log.h"

#include <mutex>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>
#include <string>

#include "base/error.h"
#include "base/log.h"

namespace espalier {
namespace {

class ObserverSink : public spdlog::sinks::base_sink<std::mutex> {
public:
    explicit ObserverSink(RunObserver& observer) : observer_(observer) {}

protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        const auto level = spdlog::level::to_string_view(message.level);
        observer_.on_event(LogLine{std::string(level.data(), level.size()),
                                   std::string(message.payload.data(), message.payload.size())});
    }
    void flush_() override {}

private:
    RunObserver& observer_;
};

std::shared_ptr<spdlog::sinks::sink> file_sink(const std::filesystem::path& file) {
    try {
        auto sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(file.string());
        sink->set_pattern("%Y-%m-%d %H:%M:%S %l %n: %v");
        return sink;
    } catch (const spdlog::spdlog_ex& error) {
        throw Error(ErrorCode::DiskWrite, error.what(), "Choose a folder that you can write to.");
    }
}

}  // namespace

RunLog::RunLog(const std::filesystem::path& file, RunObserver& observer)
    : sinks_{file_sink(file), std::make_shared<ObserverSink>(observer)} {
    for (const auto& sink : sinks_) add_log_sink(sink);
}

RunLog::~RunLog() {
    for (const auto& sink : sinks_) {
        remove_log_sink(sink);
        sink->flush();
    }
}

}  // namespace espalier
