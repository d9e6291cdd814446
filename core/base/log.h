#pragma once

#include <spdlog/logger.h>
#include <string>

namespace espalier {

/// The logger of a module, made on first use: `log("quant").info("layer {} done", layer)`. All
/// write to stderr unless set_log_sink() chose otherwise.
spdlog::logger& log(const std::string& module);

/// "error", "warn", "info", "debug", "trace", "off", for all loggers, present and future.
void set_log_level(const std::string& level);

/// Sends everything to `sink` as well (a run's log file, the window's log view).
void add_log_sink(std::shared_ptr<spdlog::sinks::sink> sink);
void remove_log_sink(const std::shared_ptr<spdlog::sinks::sink>& sink);

}  // namespace espalier
