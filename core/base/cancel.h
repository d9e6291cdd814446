#pragma once

#include <exception>
#include <stop_token>

namespace espalier {

/// The user asked to stop. Not an `Error`: it can never reach a dialog.
class Cancelled : public std::exception {
public:
    const char* what() const noexcept override { return "cancelled"; }
};

/// Call at least every 100 ms of work.
inline void throw_if_stopped(const std::stop_token& stop) {
    if (stop.stop_requested()) throw Cancelled();
}

}  // namespace espalier
