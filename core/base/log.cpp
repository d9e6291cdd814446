#include "base/log.h"

#include <memory>
#include <mutex>
#include <spdlog/sinks/dist_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace espalier {
namespace {

/// Every logger writes into this one sink, so that sinks can come and go at run time.
std::shared_ptr<spdlog::sinks::dist_sink_mt> shared_sink() {
    static const auto sink = [] {
        auto result = std::make_shared<spdlog::sinks::dist_sink_mt>();
        result->add_sink(std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
        return result;
    }();
    return sink;
}

std::mutex& registry_mutex() {
    static std::mutex mutex;
    return mutex;
}

}  // namespace

spdlog::logger& log(const std::string& module) {
    const std::scoped_lock lock(registry_mutex());
    auto logger = spdlog::get(module);
    if (!logger) {
        logger = std::make_shared<spdlog::logger>(module, shared_sink());
        logger->set_pattern("%H:%M:%S %^%l%$ %n: %v");
        spdlog::initialize_logger(logger);
    }
    return *logger;  // the registry keeps it alive
}

void set_log_level(const std::string& level) { spdlog::set_level(spdlog::level::from_str(level)); }

void add_log_sink(std::shared_ptr<spdlog::sinks::sink> sink) {
    shared_sink()->add_sink(std::move(sink));
}

void remove_log_sink(const std::shared_ptr<spdlog::sinks::sink>& sink) {
    shared_sink()->remove_sink(sink);
}

}  // namespace espalier
